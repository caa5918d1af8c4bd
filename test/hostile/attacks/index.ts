import type { Attack } from '../attack.js';
import { documents } from './documents.js';
import { manyAtOnce } from './floods.js';
import { frames } from './frames.js';
import { goodbyes } from './goodbyes.js';
import { introductions } from './introductions.js';
import { kept } from './kept.js';
import { messages } from './messages.js';
import { refused } from './refusals.js';
import { unread } from './unread.js';
import { variables } from './variables.js';

export const attacks: readonly Attack[] = [
  ...documents,
  ...variables,
  ...refused,
  ...messages,
  ...introductions,
  ...frames,
  ...goodbyes,
  ...unread,
  ...kept,
  ...manyAtOnce,
];
