export type * from './feature-types.js';
export type * from './types.js';
