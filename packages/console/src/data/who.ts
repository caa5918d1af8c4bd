import { createContext, useContext } from 'react';
import type { WhoQuery } from './generated/graphql.js';
import { graphql } from './generated/index.js';

export const Who = graphql(`
  query Who {
    viewer {
      id
      userId
      role
    }
    server {
      version
      environment
      colour
      isProtected
    }
  }
`);

export type WhoAmI = WhoQuery;

/** The caller and the server, as every screen needs them. */
export const WhoContext = createContext<WhoAmI | null>(null);

export function useWho(): WhoAmI & { readonly canEdit: boolean } {
  const who = useContext(WhoContext);
  if (who === null) throw new Error('Nobody is signed in.');
  return { ...who, canEdit: who.viewer.role === 'ADMIN' };
}
