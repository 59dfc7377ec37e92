/**
 * The magic variables: what each is called, what it takes, and which name OpsMop had for it.
 * Invariant: the table is complete; every value in force has passed its check and has the form the check gives.
 * Never puts a value of a secret variable into a message.
 */

import type { Json } from '../agent/protocol/json.ts';
import { becomeMethods, connectionKinds, hostKeyPolicies, transports } from './connection-spec.ts';
import { isName } from './names.ts';
import { didYouMean } from './suggest.ts';

export const magicNames = [
  'towline_host',
  'towline_port',
  'towline_ssh_username',
  'towline_ssh_password',
  'towline_ssh_key',
  'towline_host_keys',
  'towline_pinned_keys',
  'towline_become',
  'towline_become_username',
  'towline_become_password',
  'towline_via',
  'towline_relay',
  'towline_runtime',
  'towline_connection',
  'towline_transport',
] as const;
export type MagicName = (typeof magicNames)[number];

/** Magic variables whose value is never shown. */
export const secretMagic: ReadonlySet<MagicName> = new Set([
  'towline_ssh_password',
  'towline_become_password',
]);

/** OpsMop's names. `undefined`: accepted, so that its files load, and of no effect here. */
export const magicAliases: ReadonlyMap<string, MagicName | undefined> = new Map<
  string,
  MagicName | undefined
>([
  ['opsmop_host', 'towline_host'],
  ['opsmop_ssh_username', 'towline_ssh_username'],
  ['opsmop_ssh_password', 'towline_ssh_password'],
  ['opsmop_ssh_check_host_keys', 'towline_host_keys'],
  ['opsmop_sudo_username', 'towline_become_username'],
  ['opsmop_sudo_password', 'towline_become_password'],
  ['opsmop_via', 'towline_via'],
  ['opsmop_python_path', undefined],
]);

/** What a value turns out to be: in force as `value`, or wrong. */
export type MagicValue =
  | { readonly kind: 'value'; readonly value: Json }
  | { readonly kind: 'bad'; readonly wanted: string };

/** Whether a variable's name is reserved for settings. */
export function isMagic(name: string): boolean {
  return name.startsWith('towline_') || name.startsWith('opsmop_');
}

/** The setting a reserved name stands for; `unknown` with a tail for the message when it is none. */
export function magicNamed(
  name: string,
): { readonly name: MagicName | undefined } | { readonly unknown: string } {
  const own = magicNames.find((known) => known === name);
  if (own !== undefined) return { name: own };
  if (magicAliases.has(name)) return { name: magicAliases.get(name) };
  return { unknown: didYouMean(name, [...magicNames, ...magicAliases.keys()]) };
}

/** Checks a value and gives it its one form: ports as numbers, key lists as lists. */
export function checkMagic(name: MagicName, value: Json): MagicValue {
  return checks[name](value);
}

type Check = (value: Json) => MagicValue;

const opsmopKeyPolicies: ReadonlyMap<Json, string> = new Map<Json, string>([
  ['enforce', 'strict'],
  ['accept', 'accept-new'],
  [true, 'strict'],
  ['true', 'strict'],
  [false, 'ignore'],
  ['false', 'ignore'],
]);
const pinnedKey = /^((?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]{16,}={0,2})(?: .*)?$/;

const checks: Readonly<Record<MagicName, Check>> = {
  // What is possible for the kind of connection is checked with it, in settings-check.ts.
  towline_host: matching(/^[^\s\p{Cc}-][^\s\p{Cc}]{0,1023}$/u, 'a name, an address or a path'),
  towline_port: port,
  towline_ssh_username: account,
  towline_ssh_password: password,
  towline_ssh_key: matching(/^[^\p{Cc}]+$/u, 'the path of a private key on the controller'),
  towline_host_keys: (value) => oneOf(hostKeyPolicies)(opsmopKeyPolicies.get(value) ?? value),
  towline_pinned_keys: pinnedKeys,
  towline_become: (value) =>
    value === false || value === 'false' ? inForce(false) : oneOf(becomeMethods, 'false')(value),
  towline_become_username: account,
  towline_become_password: password,
  towline_via: via,
  towline_relay: relay,
  towline_runtime: matching(/^\/[^\p{Cc}]*$/u, 'the absolute path of a Node on the host'),
  towline_connection: oneOf(connectionKinds),
  towline_transport: oneOf(transports),
};

function inForce(value: Json): MagicValue {
  return { kind: 'value', value };
}

function bad(wanted: string): MagicValue {
  return { kind: 'bad', wanted };
}

function matching(pattern: RegExp, wanted: string): Check {
  return (value) => (typeof value === 'string' && pattern.test(value) ? inForce(value) : bad(wanted));
}

function oneOf(words: readonly string[], also?: string): Check {
  const wanted = [...words.map((word) => `"${word}"`), ...(also === undefined ? [] : [also])].join(', ');
  return (value) => {
    if (typeof value !== 'string') return bad(words.length === 1 ? wanted : `one of ${wanted}`);
    if (words.includes(value)) return inForce(value);
    return bad(`${words.length === 1 ? '' : 'one of '}${wanted}${didYouMean(value, words)}`);
  };
}

function port(value: Json): MagicValue {
  const number = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 65_535) {
    return inForce(number);
  }
  return bad('a port number from 1 to 65535');
}

function account(value: Json): MagicValue {
  return matching(/^[^\s\p{Cc}:/-][^\s\p{Cc}:/]{0,255}$/u, 'an account name')(value);
}

function password(value: Json): MagicValue {
  return matching(/^[^\0\r\n]+$/, 'a text of one line')(value);
}

function pinnedKeys(value: Json): MagicValue {
  const wanted = 'a list of host keys, each "type base64" as known_hosts has them without the host';
  const listed: readonly Json[] = Array.isArray(value) ? value : [value];
  const keys = listed.map((key) => (typeof key === 'string' ? pinnedKey.exec(key.trim())?.[1] : undefined));
  const good = keys.filter((key) => key !== undefined);
  return good.length === listed.length && good.length > 0 ? inForce(Object.freeze(good)) : bad(wanted);
}

function via(value: Json): MagicValue {
  if (value === '' || value === false || value === 'false') return inForce('');
  if (typeof value === 'string' && isName(value)) return inForce(value);
  return bad('the name of a host in this inventory, or "" to go there directly');
}

function relay(value: Json): MagicValue {
  if (value === true || value === 'true') return inForce(true);
  return value === false || value === 'false' ? inForce(false) : bad('true or false');
}
