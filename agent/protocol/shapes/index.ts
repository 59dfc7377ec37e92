/**
 * Shapes: kind → parameters, the map everything else is complete over.
 * Invariant: one entry a kind, complete by type.
 * Pure.
 */

import type { Kind } from '../kind.ts';
import type * as z from '../schema.ts';
import { authorizedKeyShape, groupShape, userShape } from './account.ts';
import { blockShape } from './block.ts';
import { commandShape } from './command.ts';
import { assertShape, echoShape, stopShape } from './control.ts';
import { directoryShape } from './directory.ts';
import { fileShape } from './file.ts';
import { lineShape } from './line.ts';
import { linkShape } from './link.ts';
import { packageShape } from './package.ts';
import { serviceShape } from './service.ts';

export const shapes = {
  file: fileShape,
  template: fileShape,
  directory: directoryShape,
  link: linkShape,
  line: lineShape,
  block: blockShape,
  package: packageShape,
  service: serviceShape,
  user: userShape,
  group: groupShape,
  authorizedKey: authorizedKeyShape,
  command: commandShape,
  echo: echoShape,
  assert: assertShape,
  stop: stopShape,
} as const satisfies Record<Kind, z.Schema<unknown>>;

export type Shapes = { readonly [K in Kind]: z.Infer<(typeof shapes)[K]> };
