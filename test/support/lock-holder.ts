import { lockDirectory } from '../../src/backends/directory-lock.js';

// A process that takes the lock of the directory it is given, says how that went in one line, and stays.
const directory = process.argv[2] ?? '';
lockDirectory(directory).then(
  () => process.stdout.write('held\n'),
  (error: Error) => process.stdout.write(`refused ${error.message}\n`),
);
setInterval(() => undefined, 60_000);
