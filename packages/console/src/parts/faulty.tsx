import type { ReactNode } from 'react';
import type { CombinedError } from 'urql';
import { Button } from './button.js';
import { Empty } from './empty.js';

/** Something could not be read: why, and another try. */
export function Faulty({ error, onRetry }: { readonly error: CombinedError; readonly onRetry: () => void }): ReactNode {
  return (
    <Empty title="This could not be read.">
      {error.graphQLErrors[0]?.message ?? 'The server does not answer.'} <Button onClick={onRetry}>Try again</Button>
    </Empty>
  );
}
