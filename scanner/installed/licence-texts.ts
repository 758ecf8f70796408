/**
 * SHA-256 of the words of licences that are common (`wordsOf` in `licence-text.ts`): of the texts that packages bring along,
 * where all that bring the same one say the same of themselves. A change of `wordsOf` changes all of them.
 */
export const TEXTS: Readonly<Record<string, readonly string[]>> = {
  MIT: [
    '0594fcde166b5878b418e19fb38b2bbc991f9d4999b1f692b276568f84a9d057',
    // Begins with a sentence that says so.
    '5e1637a0a098167b398183a05b2896068f133ab607a84b25490fd1517d10c5bb',
  ],
  ISC: ['315ea2a68845ba4d761fd7b2a0085440c854655b1856130f4915cba5a4656fd1'],
  'Apache-2.0': [
    '0f514ad177997cefd0881d134b0cd69b97e96a51610824faed1112806e878a33',
    // Without its appendix.
    'd55a30b6ea3cb94b192108722fb09f157b6af953505f03622be762a33038db90',
  ],
  'BSD-3-Clause': ['19be45cea4b15cd3b7c9a817b9a3cdc1cd1d56e45dc98699539d085f5e9e0187'],
  'BSD-2-Clause': [
    'a1146bc829b3d1a7c76623ba30fd7308fc1875543a2f1d540c76885c6afb23ea',
    '91813c85e0e66d1b1019cb319a5ad98f5a5ce8cd9bf627fd8aab424a43337e09',
  ],
  '0BSD': ['ac933a69320c739faa4a8de6cda3f2e04dbd97da710787989e0aa60c6526226d'],
  'BlueOak-1.0.0': ['0c10ec4b7440257709273ee4e2c78e5e8c2cf02a9fe4ad185018f089f1e40f51'],
  'MPL-2.0': ['95e18685c392a9bcc3382abc0bc291d63481187d454f82d17203c32fbae70dff'],
  'CC0-1.0': ['51c4bf27767d074bdefc84db7420b4c55e27827dac6d8de3ef0d37b2042fb6fa'],
  Unlicense: ['69cb6244bda8e17fbf8366e6840c2dc8f1d483ba31f6cc66e4c2cff4831ec64f'],
  'PSF-2.0': ['0e4a4a825f503371fe6c10b31116136bd4f5ff1f5ea72cf149bdbc1719820cbc'],
  'Python-2.0': ['6f0f7dd4db269dd48b6a76833b538f0f180de7419e88e9259a0397df74cbc291'],
  'Artistic-2.0': ['a61b3531c5bcf1617a25531c1188059693cb2738e9164a0d227acceed498bcef'],
  'GPL-2.0': ['2e8e378a3d24393c0f3fd1439ffbe84e750886c09715e622426a6a0e54fa1bee'],
  'GPL-3.0': ['5596edef170d70dfc38366bc570003ae59f23269dc43d2005ee5641fd92c9692'],
  'LGPL-2.1': ['f2755dc4b609b314faab32d30ca6d0466b60adc931cece2ea4f0b61f483bfc98'],
  'LGPL-3.0': ['cb8c0f424bdd5c42a0b18285893829d988e9fb9a00d0cd604a59ebe8da7eeb45'],
};

/** Their text alone does not tell whether later versions may be chosen. */
export const LATER_UNTOLD: ReadonlySet<string> = new Set(['GPL-2.0', 'GPL-3.0', 'LGPL-2.1', 'LGPL-3.0']);
