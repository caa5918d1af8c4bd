import { createRequest } from 'urql';
import type { FlagFilter } from '../../data/generated/graphql.js';
import { FlagList } from './documents.js';

const pageSize = 50;

/** A page of the list: the first one, or the one after a cursor. */
export const pageRequest = (filter: FlagFilter, after: string | null) =>
  createRequest(FlagList, { filter, first: pageSize, after });
