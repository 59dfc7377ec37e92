/**
 * A small fleet with its loop for each test of a file.
 * Invariant: what a test started has ended before the next begins.
 * Test code only.
 */

import { afterEach } from 'vitest';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';
import { Loop } from './loop.ts';
import { SmallFleet } from './small-fleet.ts';

/** Call at the top of a test file; what it gives starts a fleet of these names with this policy, and a loop on it. */
export function smallStage(): (
  names: readonly string[],
  files: Readonly<Record<string, string>>,
) => Promise<[SmallFleet, Loop]> {
  const fresh = temporaryDirectories();
  let fleet: SmallFleet | undefined;
  let loop: Loop | undefined;
  afterEach(async () => {
    await loop?.close();
    await fleet?.stop();
    loop = undefined;
    fleet = undefined;
  });
  return async (names, files) => {
    fleet = await SmallFleet.start(fresh(), names, files);
    loop = await Loop.open({ location: fleet.repository, folder: fleet.folder });
    return [fleet, loop];
  };
}
