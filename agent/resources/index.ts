/**
 * The table kind → Resource, explicit and complete by type.
 * Invariant: a new kind does not compile until it stands here.
 * Nothing else belongs in this file.
 */

import type { Kind } from '../protocol/kind.ts';
import { assertResource } from './assert.ts';
import { authorizedKeyResource } from './authorized-key.ts';
import { blockResource } from './block.ts';
import { commandResource } from './command.ts';
import { directoryResource } from './directory.ts';
import { echoResource } from './echo.ts';
import { fileResource, templateResource } from './file.ts';
import { groupResource } from './group.ts';
import { lineResource } from './line.ts';
import { linkResource } from './link.ts';
import { packageResource } from './package/package.ts';
import type { Resource } from './resource.ts';
import { serviceResource } from './service/service.ts';
import { stopResource } from './stop.ts';
import { userResource } from './user.ts';

export const resources: { readonly [K in Kind]: Resource<K> } = {
  file: fileResource,
  template: templateResource,
  directory: directoryResource,
  link: linkResource,
  line: lineResource,
  block: blockResource,
  package: packageResource,
  service: serviceResource,
  user: userResource,
  group: groupResource,
  authorizedKey: authorizedKeyResource,
  command: commandResource,
  echo: echoResource,
  assert: assertResource,
  stop: stopResource,
};
