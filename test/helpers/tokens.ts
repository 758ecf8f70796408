/** Made-up secrets in the forms that issuers use; put together here so that no scanner takes this file for a leak. */
const x = (n: number): string => 'aB3dE5gH7jK9mN2pQ4rS6tU8vW1xY0zC'.repeat(4).slice(0, n);
const hex = (n: number): string => '0f1e2d3c4b5a69788796a5b4c3d2e1f0'.repeat(2).slice(0, n);

export const TOKENS: Readonly<Record<string, string>> = {
  'an AWS key id': `AK${'IA'}IOSFODNN7EXAMPLE`,
  'a GitHub token': `gh${'p_'}${x(36)}`,
  'a fine-grained GitHub token': `github_${'pat_'}${x(22)}_${x(59)}`,
  'a GitLab token': `gl${'pat-'}${x(20)}`,
  'an OpenAI key': `sk-${'proj-'}${x(48)}`,
  'an Anthropic key': `sk-${'ant-api03-'}${x(80)}`,
  'a Stripe key': `sk_${'live_'}${x(24)}`,
  'a Slack token': `xox${'b-'}123456789012-123456789012-${x(24)}`,
  'a Slack webhook': `https://hooks.slack${'.com'}/services/T00000000/B00000000/${x(24)}`,
  'a Google key': `AI${'za'}${x(35)}`,
  'a Google token': `ya${'29.'}${x(60)}`,
  'an npm token': `npm${'_'}${x(36)}`,
  'a PyPI token': `pypi${'-'}AgEIcHlwaS5vcmc${x(60)}`,
  'a Docker token': `dckr${'_pat_'}${x(27)}`,
  'a Hugging Face token': `hf${'_'}${x(34)}`,
  'a Databricks token': `dapi${hex(32)}`,
  'a Vault token': `hvs${'.'}${x(90)}`,
  'a SendGrid key': `SG${'.'}${x(22)}.${x(43)}`,
  'a DigitalOcean token': `dop${'_v1_'}${hex(64)}`,
  'a Shopify token': `shp${'at_'}${hex(32)}`,
  'an Atlassian token': `ATA${'TT3'}${x(60)}`,
  'a Linear key': `lin${'_api_'}${x(40)}`,
  'a Telegram bot': `123456789${':AA'}${x(33)}`,
  'our own token': `lk${'_'}${x(43)}`,
  'a JWT': `ey${'J'}hbGciOiJIUzI1NiJ9.ey${'J'}zdWIiOiIxMjM0NTY3ODkwIn0.${x(43)}`,
  'a private key': `-----BEGIN ${'PRIVATE'} KEY-----\n${x(64)}\n-----END ${'PRIVATE'} KEY-----`,
};
