/**
 * From a host's settings, a role's wish and the controller's defaults to a ConnectionSpec.
 * Invariant: wish before inventory before defaults before what is built in; a via chain is resolved to its end.
 * Never opens anything, never gives a bastion a role's wish; one that runs no container becomes nobody.
 */

import type { Json } from '../agent/protocol/json.ts';
import { failure, type Result, success } from '../agent/protocol/problem.ts';
import {
  type BecomeMethod,
  type BecomeSpec,
  becomeMethods,
  type ConnectionKind,
  type ConnectionSpec,
  type ConnectionWish,
  connectionKinds,
  containerKinds,
  type FillableSetting,
  type HostKeyPolicy,
  hostKeyPolicies,
  type SshSettings,
  type Transport,
  transports,
} from './connection-spec.ts';
import { type BecomeDefaults, builtInDefaults, type Defaults, type SshDefaults } from './defaults.ts';
import type { MagicName } from './magic.ts';
import type { Inventory } from './model.ts';
import { inventoryProblem } from './problem-codes.ts';
import { didYouMean } from './suggest.ts';

/** How to reach a host of the inventory; fails for a name that is no host. */
export function connectionFor(
  inventory: Inventory,
  hostName: string,
  wish: ConnectionWish = {},
  defaults: Defaults = builtInDefaults,
): Result<ConnectionSpec> {
  return resolve({ inventory, defaults }, [hostName], wish);
}

interface Sources {
  readonly inventory: Inventory;
  readonly defaults: Defaults;
}

/** Resolves the last host of a trail; the trail is how we came there, so that a circle is noticed. */
function resolve(sources: Sources, trail: readonly string[], wish: ConnectionWish): Result<ConnectionSpec> {
  const { inventory, defaults } = sources;
  const host = trail.at(-1) ?? '';
  if (!inventory.hosts.has(host)) return failure(unknownHost(inventory, host));
  if (trail.indexOf(host) < trail.length - 1) {
    const message = `towline_via goes in a circle: ${trail.join(' → ')}`;
    return failure(inventoryProblem('inventory.via-cycle', message, { where: { host } }));
  }
  const settings = new Settings(inventory, host);
  const child = trail.length === 1 ? undefined : trail.at(-2);
  const needsAccount = child === undefined || isContainer(new Settings(inventory, child));
  const become = needsAccount ? becomeOf(settings, wish, defaults.become) : undefined;
  const direct = directSpec(settings, { host, user: wish.user, become, defaults });
  const via = settings.text('towline_via') ?? '';
  if (via === '' || direct.kind === 'local') return success(direct);
  const parent = resolve(sources, [...trail, via], {});
  return parent.ok ? success({ ...direct, via: parent.value }) : parent;
}

interface Asked {
  readonly host: string;
  readonly user: string | undefined;
  readonly become: BecomeSpec | undefined;
  readonly defaults: Defaults;
}

function directSpec(settings: Settings, { host, user, become, defaults }: Asked): ConnectionSpec {
  const kind = kindOf(settings);
  const ssh: SshDefaults = kind === 'ssh' ? defaults.ssh : {};
  const pinned = settings.value('towline_pinned_keys');
  const pinnedKeys = Array.isArray(pinned) ? pinned.filter((key) => typeof key === 'string') : [];
  const keyPolicy: HostKeyPolicy = pinnedKeys.length > 0 ? 'pinned' : (ssh.hostKeys ?? 'strict');
  const port = settings.value('towline_port');
  const transport = settings.text('towline_transport');
  // Only a login has an account of its own; what runs a container says itself who runs in it.
  const account =
    kind === 'ssh' ? (user ?? settings.text('towline_ssh_username') ?? ssh.username) : undefined;
  return {
    kind,
    host,
    address: settings.text('towline_host') ?? host,
    port: typeof port === 'number' ? port : (ssh.port ?? 22),
    user: account,
    password: settings.secret('towline_ssh_password') ?? ssh.password,
    keyFile: settings.text('towline_ssh_key') ?? ssh.key,
    hostKeys: hostKeyPolicies.find((policy) => policy === settings.text('towline_host_keys')) ?? keyPolicy,
    pinnedKeys,
    // Who logs in as the account already is that account: no program is needed, and no second agent.
    become: become !== undefined && become.user === account ? undefined : become,
    transport: transports.find((known): known is Transport => known === transport) ?? ssh.transport,
    ssh: sshSettings(ssh),
    unsaid: kind === 'ssh' ? unsaidOf(settings, user, ssh) : undefined,
    relay: settings.value('towline_relay') === true ? true : undefined,
    runtime: settings.text('towline_runtime') ?? defaults.runtime.path,
  };
}

function sshSettings({ knownHosts, agent, connectTimeout, keepalive }: SshDefaults): SshSettings | undefined {
  if ((knownHosts ?? agent ?? connectTimeout ?? keepalive) === undefined) return undefined;
  return { knownHostsFiles: knownHosts, identityAgent: agent, connectTimeout, keepalive };
}

/** What neither the role nor the inventory nor the defaults say, so that OpenSSH's configuration is asked. */
function unsaidOf(
  settings: Settings,
  user: string | undefined,
  ssh: SshDefaults,
): ReadonlySet<FillableSetting> {
  const unsaid = new Set<FillableSetting>();
  const note = (setting: FillableSetting, name: MagicName, other: unknown): void => {
    if (other === undefined && settings.value(name) === undefined) unsaid.add(setting);
  };
  note('address', 'towline_host', undefined);
  note('port', 'towline_port', ssh.port);
  note('user', 'towline_ssh_username', user ?? ssh.username);
  note('keyFile', 'towline_ssh_key', ssh.key);
  note('hostKeys', 'towline_host_keys', settings.value('towline_pinned_keys') ?? ssh.hostKeys);
  note('via', 'towline_via', undefined);
  return unsaid;
}

function kindOf(settings: Settings): ConnectionKind {
  return connectionKinds.find((kind) => kind === settings.text('towline_connection')) ?? 'ssh';
}

/** Whether the host is run by a program of the machine it is on. */
function isContainer(settings: Settings): boolean {
  return (containerKinds as readonly string[]).includes(kindOf(settings));
}

/** Nobody becomes another account because of the defaults: they only say how. */
function becomeOf(
  settings: Settings,
  wish: ConnectionWish,
  defaults: BecomeDefaults,
): BecomeSpec | undefined {
  const setting = settings.value('towline_become');
  const method: BecomeMethod = becomeMethods.find((known) => known === setting) ?? defaults.method ?? 'sudo';
  const account = settings.text('towline_become_username');
  const none = setting === false || (setting === undefined && account === undefined);
  if (wish.become === undefined && none) return undefined;
  return {
    method,
    user: wish.become ?? account ?? defaults.username ?? 'root',
    password: settings.secret('towline_become_password') ?? defaults.password,
  };
}

function unknownHost(inventory: Inventory, host: string): ReturnType<typeof inventoryProblem> {
  const message = `there is no host "${host}"${didYouMean(host, inventory.hosts.keys())}`;
  return inventoryProblem('inventory.unknown-host', message, { where: { host } });
}

/** One host's magic variables by type. */
class Settings {
  private readonly inventory: Inventory;
  private readonly host: string;
  private readonly magic: Readonly<Record<string, Json>>;

  constructor(inventory: Inventory, host: string) {
    this.inventory = inventory;
    this.host = host;
    this.magic = inventory.magic(host);
  }

  value(name: MagicName): Json | undefined {
    return this.magic[name];
  }

  text(name: MagicName): string | undefined {
    const value = this.magic[name];
    return typeof value === 'string' ? value : undefined;
  }

  secret(name: MagicName): ConnectionSpec['password'] {
    return this.inventory.secret?.(this.host, name);
  }
}
