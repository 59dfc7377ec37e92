/**
 * Who says what of a connection: every setting in force, its value, and where the word comes from, hop by hop.
 * Invariant: values are those of the resolved spec; a secret is a mask before it gets here.
 * Pure: what OpenSSH's configuration added is seen by comparing the spec before and after.
 */

import type { Json } from '../agent/protocol/json.ts';
import type { ConnectionSpec, ConnectionWish } from './connection-spec.ts';
import type { Defaults, DefaultsPlace } from './defaults.ts';
import type { MagicName } from './magic.ts';
import type { Inventory, Provenance } from './model.ts';

/** Who said it. */
export type Origin =
  | { readonly from: 'role'; readonly role: string }
  | ({ readonly from: 'inventory' } & Provenance)
  | ({ readonly from: 'defaults' } & DefaultsPlace)
  | { readonly from: 'openssh' }
  | { readonly from: 'built-in' };

export interface ExplainedSetting {
  readonly setting: string;
  readonly value: Json;
  readonly origin: Origin;
}

export interface ExplainedHop {
  readonly host: string;
  readonly settings: readonly ExplainedSetting[];
}

/** What stands where nobody says anything. */
export interface BuiltIn {
  readonly user: string;
  readonly keys: readonly string[];
  readonly agent: string;
  readonly knownHosts: readonly string[];
  /** Seconds. */
  readonly connectTimeout: number;
  readonly keepalive: { readonly interval: number; readonly count: number };
}

export interface ConnectionQuestion {
  readonly inventory: Inventory;
  readonly defaults: Defaults;
  /** As inventory, role and defaults have it. */
  readonly declared: ConnectionSpec;
  /** As it is used. */
  readonly resolved: ConnectionSpec;
  readonly wish?: { readonly role: string; readonly connect: ConnectionWish } | undefined;
  readonly builtIn: BuiltIn;
}

/** The host itself first, then each host on the way to it. */
export function explainConnection(question: ConnectionQuestion): readonly ExplainedHop[] {
  const hops: ExplainedHop[] = [];
  let declared: ConnectionSpec | undefined = question.declared;
  let wish = question.wish;
  for (let spec: ConnectionSpec | undefined = question.resolved; spec !== undefined; spec = spec.via) {
    hops.push({ host: spec.host, settings: new Hop({ ...question, wish }, spec, declared).settings() });
    declared = declared?.via;
    wish = undefined;
  }
  return hops;
}

const builtInOrigin: Origin = { from: 'built-in' };
const openssh: Origin = { from: 'openssh' };

class Hop {
  readonly #about: ConnectionQuestion;
  readonly #spec: ConnectionSpec;
  /** Absent for a host that OpenSSH's configuration put on the way. */
  readonly #declared: ConnectionSpec | undefined;

  constructor(about: ConnectionQuestion, spec: ConnectionSpec, declared: ConnectionSpec | undefined) {
    this.#about = about;
    this.#spec = spec;
    this.#declared = declared;
  }

  settings(): ExplainedSetting[] {
    const { kind, address, via, relay, runtime } = this.#spec;
    const rows = [
      row('connection', kind, this.#said('towline_connection')),
      row('address', address, this.#said('towline_host') ?? this.#filled('address')),
      ...(kind === 'ssh' ? this.#sshSettings() : []),
      ...this.#becomeSettings(),
      row('via', via?.host ?? 'nobody', this.#said('towline_via') ?? this.#filled('via')),
      row('relay', relay === true, this.#said('towline_relay')),
      row('runtime', runtime ?? 'the first that works', this.#said('towline_runtime', 'runtime.path')),
    ];
    return rows;
  }

  #sshSettings(): ExplainedSetting[] {
    const { user, port, password, hostKeys, pinnedKeys, transport } = this.#spec;
    const { builtIn } = this.#about;
    const userOrigin =
      this.#wished('user') ?? this.#said('towline_ssh_username', 'ssh.username') ?? this.#filled('user');
    const keysOrigin =
      this.#said('towline_host_keys') ??
      (pinnedKeys.length > 0
        ? this.#said('towline_pinned_keys')
        : (this.#default('ssh.host_keys') ?? this.#filled('hostKeys')));
    return [
      row('port', port, this.#said('towline_port', 'ssh.port') ?? this.#filled('port')),
      row('user', user ?? builtIn.user, userOrigin),
      row(
        'password',
        masked(password),
        this.#said('towline_ssh_password', 'ssh.password', 'ssh.password_file'),
      ),
      ...this.#keySettings(),
      row('host keys', hostKeys, keysOrigin),
      ...optional('pinned keys', pinnedKeys.length === 0 ? undefined : pinnedKeys, () =>
        this.#said('towline_pinned_keys'),
      ),
      ...this.#trustSettings(),
      row('transport', transport ?? 'ssh', this.#said('towline_transport', 'ssh.transport')),
      ...this.#timeSettings(),
    ];
  }

  #keySettings(): ExplainedSetting[] {
    const { keyFile, ssh = {} } = this.#spec;
    const { builtIn } = this.#about;
    const key = keyFile ?? (ssh.identityFiles?.length ? ssh.identityFiles : builtIn.keys);
    const keyOrigin =
      this.#said('towline_ssh_key', 'ssh.key') ??
      this.#filled('keyFile') ??
      (key === ssh.identityFiles ? openssh : undefined);
    return [
      row('key', key, keyOrigin),
      ...optional('certificates', ssh.certificateFiles, () => openssh),
      ...optional('only these keys', ssh.identitiesOnly, () => openssh),
      row('ssh-agent', ssh.identityAgent ?? builtIn.agent, this.#ofSsh('ssh.agent', ssh.identityAgent)),
    ];
  }

  #trustSettings(): ExplainedSetting[] {
    const { ssh = {} } = this.#spec;
    const known = this.#ofSsh('ssh.known_hosts', ssh.knownHostsFiles);
    return [
      row('known_hosts', ssh.knownHostsFiles ?? this.#about.builtIn.knownHosts, known),
      ...optional('host key alias', ssh.hostKeyAlias, () => openssh),
    ];
  }

  #timeSettings(): ExplainedSetting[] {
    const { ssh = {} } = this.#spec;
    const { builtIn } = this.#about;
    const { interval, count } = ssh.keepalive ?? builtIn.keepalive;
    return [
      row(
        'connect timeout',
        `${ssh.connectTimeout ?? builtIn.connectTimeout} s`,
        this.#ofSsh('ssh.connect_timeout', ssh.connectTimeout),
      ),
      row(
        'keepalive',
        `every ${interval} s, ${count} times`,
        this.#default('ssh.keepalive_interval') ?? this.#ofSsh('ssh.keepalive_count', ssh.keepalive),
      ),
    ];
  }

  #becomeSettings(): ExplainedSetting[] {
    const { become, user } = this.#spec;
    const wished = this.#wished('become');
    const account = wished ?? this.#said('towline_become_username');
    if (become === undefined) {
      const asked = wished !== undefined && this.#about.wish?.connect.become === user;
      const text = asked ? `nobody: it is ${user} already` : 'nobody';
      return [row('become', text, asked ? wished : this.#said('towline_become'))];
    }
    return [
      row('become', become.user, account ?? this.#default('become.username')),
      row('become by', become.method, this.#said('towline_become', 'become.method')),
      row(
        'become password',
        masked(become.password),
        this.#said('towline_become_password', 'become.password', 'become.password_file'),
      ),
    ];
  }

  #wished(setting: keyof ConnectionWish): Origin | undefined {
    const { wish } = this.#about;
    return wish?.connect[setting] === undefined ? undefined : { from: 'role', role: wish.role };
  }

  /** The inventory's word, else that of the defaults. Jump hosts of OpenSSH's configuration have neither. */
  #said(name: MagicName, ...keys: readonly string[]): Origin | undefined {
    if (this.#declared === undefined) return undefined;
    const { inventory } = this.#about;
    const found = inventory.hosts.has(this.#spec.host)
      ? inventory.provenance(this.#spec.host, name)
      : undefined;
    if (found !== undefined) return { from: 'inventory', ...found };
    for (const key of keys) {
      const origin = this.#default(key);
      if (origin !== undefined) return origin;
    }
    return undefined;
  }

  #default(key: string): Origin | undefined {
    if (this.#declared === undefined || (key.startsWith('ssh.') && this.#spec.kind !== 'ssh'))
      return undefined;
    const place = this.#about.defaults.place(key);
    return place === undefined ? undefined : { from: 'defaults', ...place };
  }

  #ofSsh(key: string, value: unknown): Origin | undefined {
    return this.#default(key) ?? (value === undefined ? undefined : openssh);
  }

  /** OpenSSH's word, where it changed what stood there. */
  #filled(setting: 'address' | 'port' | 'user' | 'keyFile' | 'hostKeys' | 'via'): Origin | undefined {
    const before = this.#declared;
    if (before === undefined) return openssh;
    const [now, then] = [this.#spec[setting], before[setting]];
    if (setting === 'via') return now !== undefined && then === undefined ? openssh : undefined;
    return now === then ? undefined : openssh;
  }
}

function row(setting: string, value: Json, origin: Origin | undefined): ExplainedSetting {
  return { setting, value, origin: origin ?? builtInOrigin };
}

function optional(
  setting: string,
  value: Json | undefined,
  origin: () => Origin | undefined,
): readonly ExplainedSetting[] {
  return value === undefined ? [] : [row(setting, value, origin())];
}

function masked(secret: unknown): string {
  return secret === undefined ? 'none' : '«secret»';
}

/** What of the controller itself bears on every connection. */
export function explainController(defaults: Defaults): readonly ExplainedSetting[] {
  const { tuning, runtime } = defaults;
  const of = (setting: string, value: Json, key: string): ExplainedSetting => {
    const place = defaults.place(key);
    return row(setting, value, place === undefined ? undefined : { from: 'defaults', ...place });
  };
  return [
    of('starting at once', tuning.connections, 'tuning.connections'),
    of('of them by one bastion', tuning.perBastion, 'tuning.per_bastion'),
    of('agents on a host', tuning.contextsPerHost, 'tuning.contexts_per_host'),
    of('idle lines close', tuning.idleClose === 0 ? 'never' : `${tuning.idleClose} s`, 'tuning.idle_close'),
    of('heartbeat', `${tuning.heartbeat} s`, 'tuning.heartbeat'),
    of('attempts', tuning.attempts, 'tuning.attempts'),
    of('start timeout', `${tuning.startTimeout} s`, 'tuning.start_timeout'),
    of('ship a runtime', runtime.ship, 'runtime.ship'),
    of('keep it there', runtime.cache, 'runtime.cache'),
  ];
}
