/** Packages that most runs never use: each is loaded by whoever first needs it, not by whoever might. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export const cedar = () =>
  require('@cedar-policy/cedar-wasm/nodejs') as typeof import('@cedar-policy/cedar-wasm/nodejs');
export const sigstoreBundle = () => require('@sigstore/bundle') as typeof import('@sigstore/bundle');
export const sigstoreSpecs = () =>
  require('@sigstore/protobuf-specs') as typeof import('@sigstore/protobuf-specs');
export const sigstoreVerify = () => require('@sigstore/verify') as typeof import('@sigstore/verify');
export const tar = () => require('tar') as typeof import('tar');

/** Node's HTTP. An import of it reads every name that it has, and one of them loads a client of 12 MiB. */
export const http = () => process.getBuiltinModule('node:http');
export const https = () => process.getBuiltinModule('node:https');
