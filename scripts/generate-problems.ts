/**
 * Writes docs/problems.md from the registries; `npm run docs`.
 * Invariant: running it twice changes nothing.
 * Never merges with what is there: the page has no hand-written part.
 */

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { problemRegistries, problemsPage } from './problem-registries.ts';

const page = resolve(import.meta.dirname, '../docs/problems.md');
writeFileSync(page, problemsPage(await problemRegistries()));
