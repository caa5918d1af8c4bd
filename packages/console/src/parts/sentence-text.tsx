import type { ReactNode } from 'react';
import type { Part } from '../words/sentence.js';

/** A sentence with what readers look for in bold. */
export function SentenceText({ parts }: { readonly parts: readonly Part[] }): ReactNode {
  return parts.map(({ text, strong }, index) => {
    const key = `${index} ${text}`;
    return strong ? <b key={key}>{text}</b> : <span key={key}>{text}</span>;
  });
}
