/**
 * Writes docs/reference; `npm run docs`.
 * Invariant: running it twice changes nothing.
 * Never merges with what is there: the pages have no hand-written part.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { commandsPage, defaultsPage, resourcesPage } from './reference-pages.ts';

const folder = resolve(import.meta.dirname, '../docs/reference');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'resources.md'), resourcesPage());
writeFileSync(join(folder, 'commands.md'), await commandsPage());
writeFileSync(join(folder, 'defaults.md'), defaultsPage());
