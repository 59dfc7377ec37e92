/**
 * The inventory's problem codes.
 * Invariant: docs/problems.md lists exactly these; a test compares both directions.
 * Never reuse a code for a second meaning.
 */

import { defineProblems, type ProblemKind } from '../agent/protocol/problem.ts';

const stalled = (hint: string): ProblemKind => ({ disposition: 'stalled', hint });

export const inventoryProblems = {
  'inventory.bad-toml': stalled('Mend the TOML syntax at this place.'),
  'inventory.bad-toml-value': stalled(
    'Use a string, a finite number, true or false, an array or a table here.',
  ),
  'inventory.unknown-key': stalled('Correct the spelling, or remove the key.'),
  'inventory.bad-type': stalled('Give the value the form that the message names.'),
  'inventory.bad-name': stalled(
    'Names begin with a letter, digit or underscore and hold letters, digits and . _ - : % @ only.',
  ),
  'inventory.unquoted-dot': stalled(
    'Put host names that have dots in quotes, and give variables in [hosts.NAME] or as { … }.',
  ),
  'inventory.bad-range': stalled(
    'Write ranges as [first:last] or [first:last:step], with numbers or single letters, both ends included.',
  ),
  'inventory.bad-host-string': stalled(
    'Write the variables as name=value, separated by blanks, with quotes around values that have blanks.',
  ),
  'inventory.unknown-magic': stalled(
    'Names that begin with towline_ or opsmop_ are reserved; docs/guides/inventory.md lists them all.',
  ),
  'inventory.bad-magic': stalled('Correct the value; docs/guides/inventory.md says what each setting takes.'),
  'inventory.magic-twice': stalled('Keep one of the two names; they are the same setting.'),
  'inventory.bad-address': stalled(
    'Give towline_host what this kind of connection takes; docs/guides/containers.md has an example of each.',
  ),
  'inventory.no-effect': stalled(
    'Remove the setting here, or correct towline_connection: this kind of connection does not use it.',
  ),
  'inventory.unknown-group': stalled('Declare the group as [groups.NAME], or correct the name in children.'),
  'inventory.group-cycle': stalled('Remove one of the children entries, so that no group contains itself.'),
  'inventory.unknown-via': stalled(
    'Name a host of this inventory in towline_via, or declare the bastion as a host.',
  ),
  'inventory.via-cycle': stalled(
    'Give the host that is reached directly towline_via = "", which ends the chain there.',
  ),
  'inventory.via-local': stalled(
    'Go through a host that is reached by SSH; only containers can be reached through the controller itself.',
  ),
  'inventory.no-pinned-keys': stalled(
    'List the keys in towline_pinned_keys; ssh-keyscan prints them, compare them before you trust them.',
  ),
  'inventory.unknown-host': stalled('Declare the host in the inventory, or correct the name.'),
  'inventory.no-match': stalled('Correct the pattern, or remove it; * and ? are wildcards.'),
  'inventory.no-files': stalled(
    'Point the environment at an inventory file, or at a folder with *.toml files.',
  ),
  'defaults.missing': stalled('Create the file, or take TOWLINE_DEFAULTS out of the environment.'),
  'defaults.unreadable': stalled('Let the account that runs Towline read its defaults file.'),
  'defaults.unknown-key': stalled('Correct the name; docs/reference/defaults.md lists every key.'),
  'defaults.bad-value': stalled('Give this key of the defaults file what the message names.'),
  'defaults.readable-password': stalled(
    'Make the file its owner’s alone (chmod 600), or keep the password in a password_file.',
  ),
  'defaults.two-passwords': stalled('Keep one of the two: the password or the name of its file.'),
  'defaults.bad-password-file': stalled(
    'Put the password on the first line of a file of mode 600, and name that file.',
  ),
} as const satisfies Record<string, ProblemKind>;

export type InventoryProblemCode = keyof typeof inventoryProblems;

/** Makes a problem with one of the inventory's codes. */
export const inventoryProblem = defineProblems<InventoryProblemCode>(inventoryProblems);
