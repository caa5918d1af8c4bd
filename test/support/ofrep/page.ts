// What a page of the tests loads: bundled, and put into the global `ofrep`.
export { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
export { OpenFeature } from '@openfeature/web-sdk';
