/**
 * The authoring API: exactly what `import … from 'towline'` gives.
 * Invariant: every export is documented and appears in the declarations laid for editors.
 * Never export what a role has no use for.
 */

export type * from './account.ts';
export { authorizedKey, group, user } from './account.ts';
export type * from './command.ts';
export { command } from './command.ts';
export type * from './control.ts';
export { assert, echo, stop } from './control.ts';
export type * from './directory.ts';
export { directory, link } from './directory.ts';
export type * from './facts.ts';
export type * from './file.ts';
export { file, template } from './file.ts';
export type * from './line.ts';
export { block, line } from './line.ts';
export type * from './resource.ts';
export type * from './role.ts';
export { defineRole } from './role.ts';
export type * from './software.ts';
export { pkg, service } from './software.ts';
