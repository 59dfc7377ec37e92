/**
 * Writes types/towline.d.ts, which a release carries for authors' editors.
 * Invariant: the same text that `towline types` lays when it runs from source.
 * Writes nothing else.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { declarations } from '../reconciler/policy/declarations.ts';

const root = resolve(import.meta.dirname, '..');
const authoring = join(root, 'reconciler/policy/authoring');

mkdirSync(join(root, 'types'), { recursive: true });
writeFileSync(
  join(root, 'types/towline.d.ts'),
  declarations((file) => readFileSync(join(authoring, file), 'utf8')),
);
