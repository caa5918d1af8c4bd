import { useQuery } from 'urql';
import { graphql } from './generated/index.js';

const KeyNames = graphql(`
  query KeyNames {
    apiKeys(first: 100) {
      nodes {
        id
        name
      }
    }
  }
`);

/** The names of the newest API keys by their ids, also of revoked ones. */
export function useKeyNames(): ReadonlyMap<string, string> {
  const [{ data }] = useQuery({ query: KeyNames });
  return new Map(data?.apiKeys.nodes.map(({ id, name }) => [id, name]));
}
