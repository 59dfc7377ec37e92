/**
 * The closed vocabulary of resource kinds.
 * Invariant: every table over kinds is complete by type; a new kind fails to compile until handled everywhere.
 * Never compare kinds as free strings.
 */

export const kinds = [
  'file',
  'template',
  'directory',
  'link',
  'line',
  'block',
  'package',
  'service',
  'user',
  'group',
  'authorizedKey',
  'command',
  'echo',
  'assert',
  'stop',
] as const;

export type Kind = (typeof kinds)[number];

/** `kind:name`, unique inside a role. */
export type ResourceId = `${Kind}:${string}`;

export function resourceId(kind: Kind, name: string): ResourceId {
  return `${kind}:${name}`;
}
