// Part of `npm run build`: makes what new embedded databases begin with.
import { makeInitialContent } from '../src/backends/initial-content.js';

await makeInitialContent();
