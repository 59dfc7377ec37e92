/**
 * Writes reconciler/connection/runtime/pinned-builds.ts: the builds of Node that package-lock.json names, with their hashes.
 * Invariant: the same lock file gives the same text; a test compares the file with it.
 * Never asks the network.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pinnedBuildsSource } from './pinned-builds-source.ts';

const file = join(import.meta.dirname, '../reconciler/connection/runtime/pinned-builds.ts');

writeFileSync(file, pinnedBuildsSource());
