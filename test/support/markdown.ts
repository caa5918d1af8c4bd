/** A fenced block of code in a document, with the `<!-- ... -->` note that stands right before it. */
export interface CodeBlock {
  readonly language: string;
  readonly code: string;
  readonly note: string | null;
}

export function codeBlocks(markdown: string): CodeBlock[] {
  const pattern = /(?:<!-- (?<note>[^\n]*?) -->\n)?```(?<language>\w+)\n(?<code>.*?)\n```/gs;
  return [...markdown.matchAll(pattern)].map(({ groups }) => ({
    language: groups?.['language'] ?? '',
    code: groups?.['code'] ?? '',
    note: groups?.['note'] ?? null,
  }));
}

/** What a TypeScript example says that it prints: the comment behind each `console.log`. */
export function promisedOutput(code: string): string[] {
  return [...code.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(match => match[1] ?? '');
}
