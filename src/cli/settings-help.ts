import { settings } from '../config/settings.js';

/** The text of the settings for `--help`. */
export function settingsHelp(width = 100): string {
  const lines = settings.flatMap(({ name, default: value, description }) => [
    `  ${name}${value === null ? '' : ` (default: ${value})`}`,
    ...wrap(description, width - 6).map(line => `      ${line}`),
  ]);
  return `\nSettings, from the environment:\n${lines.join('\n')}`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
