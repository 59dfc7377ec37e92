/**
 * A file that passes for a Node where one is shipped: it says `whole` and is large enough to be cut in the middle.
 * Invariant: incompressible, so that its size on the way is known.
 * Never used where the Node must really run.
 */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeBuild } from '../../../../reconciler/connection/runtime/builds.ts';
import { type Payload, preparePayload } from '../../../../reconciler/connection/runtime/prepare.ts';
import type { Compression } from '../../../../reconciler/connection/runtime/probe.ts';

/** A build whose file is in `folder`; `says` is what it prints when it is tried. */
export function fakeBuild(folder: string, { size = 3_000_000, says = 'echo whole' } = {}): RuntimeBuild {
  const file = join(folder, 'build');
  writeFileSync(file, Buffer.concat([Buffer.from(`#!/bin/sh\n${says}\nexit $?\n`), randomBytes(size)]), {
    mode: 0o755,
  });
  return { platform: 'linux-x64', version: '24.0.0', file };
}

/** The same as it is sent. */
export function fakePayload(
  folder: string,
  compression: Compression = 'gzip',
  more: Parameters<typeof fakeBuild>[1] = {},
): Promise<Payload> {
  return preparePayload(fakeBuild(folder, more), compression, join(folder, 'cache'));
}
