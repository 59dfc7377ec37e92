/**
 * Puts an answer of OpenSSH's configuration into a spec where nothing was declared.
 * Invariant: a declared setting stays; paths come out absolute, with their tokens expanded for this host.
 * Pure.
 */

import { join } from 'node:path';
import type { ConnectionSpec, HostKeyPolicy, SshSettings } from '../../inventory/connection-spec.ts';
import type { ConfigAnswer } from './ssh-config-answer.ts';
import { type ConfigScan, isUniversal } from './ssh-config-file.ts';
import { expandPath, type TokenValues } from './ssh-tokens.ts';

export interface FillContext {
  readonly scan: ConfigScan;
  readonly local: Pick<TokenValues, 'home' | 'localUser' | 'localUid' | 'localHost' | 'environment'>;
}

/** OpenSSH's interval of 0 means never; then ours counts, since nothing here may hang. */
const ownKeepalive = { interval: 15, count: 3 } as const;

const policies: Readonly<Record<string, HostKeyPolicy>> = {
  true: 'strict',
  ask: 'strict',
  'accept-new': 'accept-new',
  false: 'accept-new',
};

/** The spec with what the answer says; its parents are not looked at. */
export function fillFrom(spec: ConnectionSpec, answer: ConfigAnswer, context: FillContext): ConnectionSpec {
  const unsaid = spec.unsaid ?? new Set();
  const one = (keyword: string): string | undefined => answer.get(keyword)?.[0];
  const address = unsaid.has('address') ? (one('hostname') ?? spec.address) : spec.address;
  const port = unsaid.has('port') ? Number(one('port') ?? spec.port) : spec.port;
  const user = unsaid.has('user') ? (one('user') ?? spec.user) : spec.user;
  const policy = policies[one('stricthostkeychecking') ?? ''];
  const isOpen = unsaid.has('hostKeys') && spec.pinnedKeys.length === 0;
  const hostKeys = isOpen ? (policy ?? spec.hostKeys) : spec.hostKeys;
  const hostKeyAlias = spec.ssh?.hostKeyAlias ?? one('hostkeyalias');
  const values: TokenValues = {
    ...context.local,
    name: spec.address,
    address,
    port,
    user: user ?? context.local.localUser,
    hostKeyAlias,
    jump: one('proxyjump'),
  };
  const ssh = settingsFrom(spec, answer, { ...context, values });
  return { ...spec, address, port, user, hostKeys, ssh, unsaid: undefined };
}

interface Filling extends FillContext {
  readonly values: TokenValues;
}

function settingsFrom(spec: ConnectionSpec, answer: ConfigAnswer, filling: Filling): SshSettings {
  const { ssh = {}, unsaid } = spec;
  const { values } = filling;
  const paths = (keyword: string): readonly string[] | undefined =>
    answer
      .get(keyword)
      ?.filter((path) => path.toLowerCase() !== 'none')
      .map((path) => expandPath(path, values));
  const only = answer.get('identitiesonly')?.[0];
  const timeout = Number(answer.get('connecttimeout')?.[0]);
  return {
    ...ssh,
    identityFiles: ssh.identityFiles ?? (unsaid?.has('keyFile') ? paths('identityfile') : undefined),
    certificateFiles: ssh.certificateFiles ?? paths('certificatefile'),
    identitiesOnly: ssh.identitiesOnly ?? (only === undefined ? undefined : only === 'yes'),
    identityAgent: ssh.identityAgent ?? agentSocket(answer.get('identityagent')?.[0], values),
    knownHostsFiles: ssh.knownHostsFiles ?? knownHosts(answer, filling),
    hostKeyAlias: values.hostKeyAlias,
    connectTimeout: ssh.connectTimeout ?? (timeout > 0 ? timeout : undefined),
    keepalive: ssh.keepalive ?? keepalive(answer),
    hashKnownHosts: ssh.hashKnownHosts ?? hashes(answer, filling),
  };
}

function agentSocket(text: string | undefined, values: TokenValues): string | undefined {
  if (text === undefined || text === 'SSH_AUTH_SOCK') return undefined;
  if (text.startsWith('$') && !text.startsWith('${')) return values.environment[text.slice(1)] || 'none';
  return expandPath(text, values);
}

function keepalive(answer: ConfigAnswer): SshSettings['keepalive'] {
  const interval = Number(answer.get('serveraliveinterval')?.[0] ?? 0);
  const count = Number(answer.get('serveralivecountmax')?.[0] ?? 0);
  if (interval <= 0 && count <= 0) return undefined;
  return { interval: interval || ownKeepalive.interval, count: count || ownKeepalive.count };
}

function knownHosts(answer: ConfigAnswer, filling: Filling): readonly string[] | undefined {
  const user = fileList(answer, filling, 'userknownhostsfile');
  const global = fileList(answer, filling, 'globalknownhostsfile');
  if (user === undefined && global === undefined) return undefined;
  const own = [join(filling.values.home, '.ssh', 'known_hosts')];
  return [...(user ?? own), ...(global ?? ['/etc/ssh/ssh_known_hosts'])];
}

/** ssh prints the list without quotes; where a name has a space, the file's own words tell how it divides. */
function fileList(
  answer: ConfigAnswer,
  { scan, values }: Filling,
  keyword: string,
): readonly string[] | undefined {
  const printed = answer.get(keyword)?.[0];
  if (printed === undefined) return undefined;
  const written = scan.statements.find(
    (statement) =>
      statement.keyword === keyword &&
      statement.args.map((arg) => arg.replace(/^~\//, `${values.home}/`)).join(' ') === printed,
  );
  const paths = written?.args ?? printed.split(' ');
  return paths.filter((path) => path.toLowerCase() !== 'none').map((path) => expandPath(path, values));
}

function hashes(answer: ConfigAnswer, { scan }: FillContext): boolean | undefined {
  const said = answer.get('hashknownhosts')?.[0];
  if (said !== undefined) return said === 'yes';
  const universal = scan.statements.find(
    (statement) => statement.keyword === 'hashknownhosts' && isUniversal(statement),
  );
  return universal === undefined ? undefined : /^(yes|true)$/i.test(universal.args[0] ?? '');
}
