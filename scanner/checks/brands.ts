/** Names that people trust, and where those who own them keep their packages. Short: each line is a claim to keep true. */
import { isSlip as isOneSlip } from '../../schemas/slip.ts';

export interface Brand {
  /** As it stands in names of packages. */
  readonly name: string;
  /** Scopes on npm, without @. */
  readonly scopes: readonly string[];
  /** Accounts on GitHub, in small letters. */
  readonly owners: readonly string[];
}

/** `name: scopes | owners`; what is left out is the name itself. */
const LINES = `
modelcontextprotocol
anthropic: anthropic-ai | anthropics
openai
github: github | github
gitlab: gitlab | gitlab-org
microsoft: microsoft azure playwright | microsoft azure
azure: azure azure-rest microsoft | azure microsoft
playwright: playwright | microsoft
google: google google-cloud googleapis google-labs | google googleapis googlecloudplatform google-gemini
aws: aws aws-sdk awslabs aws-cdk | aws awslabs
amazon: aws aws-sdk awslabs | aws awslabs amzn
cloudflare
stripe
slack: slack | slackapi
notion: notionhq | makenotion
notionhq: notionhq | makenotion
atlassian: atlassian atlaskit forge | atlassian
figma
sentry: sentry | getsentry
supabase
vercel
docker
postmark: activecampaign | activecampaign
hubspot
shopify
salesforce: salesforce | salesforce salesforcecli forcedotcom
linear: linear | linear
mongodb: mongodb-js mongodb | mongodb mongodb-js
redis: redis | redis
elastic
elasticsearch: elastic | elastic
grafana
twilio: twilio twilio-alpha | twilio twilio-labs
paypal
heroku
netlify
datadog
snowflake: snowflake snowflake-labs | snowflake-labs snowflakedb
databricks
brave: brave | brave
tavily: tavily | tavily-ai
pinecone: pinecone-database | pinecone-io
terraform: hashicorp | hashicorp
hashicorp
kubernetes: kubernetes | kubernetes kubernetes-sigs
zapier
asana
discord: discordjs discord | discord
dropbox
mapbox
algolia
auth0: auth0 | auth0
okta
`;

export const BRANDS: readonly Brand[] = LINES.trim()
  .split('\n')
  .map((line) => {
    const [name = '', rest = ''] = line.split(':');
    const [scopes = '', owners = ''] = rest.split('|').map((part) => part.trim());
    const listed = (text: string): string[] => (text === '' ? [name] : text.split(' '));
    return { name, scopes: listed(scopes), owners: listed(owners) };
  });

/** Words that say what a package is, not whose. */
const KIND = new Set(
  'mcp server servers client official js ts node nodejs npm py python cli sdk api app the for and'.split(' '),
);

/** The words of a package name: of its scope, and of what is behind it. */
export function wordsOf(name: string): { readonly scope: string | null; readonly words: readonly string[] } {
  const [, scope = null, base = ''] = /^(?:@([^/]+)\/)?(.+)$/.exec(name.toLowerCase()) ?? [];
  const words = base.split(/[-_.]+/).filter((word) => word !== '');
  return { scope, words: words.filter((word) => !KIND.has(word)) };
}

/** Words of their own that are one slip away. */
const WORDS = new Set(
  'motion notions lotion potion plastic elastics discard discords entry gentry locker docket rocker liner lines goggle strip stripes striped linea azures'.split(
    ' ',
  ),
);

/** One letter more, less, other, or two changed places, and no word of its own. */
export function isSlip(a: string, b: string): boolean {
  return !WORDS.has(a) && isOneSlip(a, b);
}
