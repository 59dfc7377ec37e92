/**
 * From a host's settings and a role's wish to a ConnectionSpec.
 * Invariant: the wish comes before the inventory; a via chain is resolved to its end; passwords are Secrets.
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
  type HostKeyPolicy,
  hostKeyPolicies,
} from './connection-spec.ts';
import type { MagicName } from './magic.ts';
import type { Inventory } from './model.ts';
import { inventoryProblem } from './problem-codes.ts';
import { didYouMean } from './suggest.ts';

/** How to reach a host of the inventory; fails for a name that is no host. */
export function connectionFor(
  inventory: Inventory,
  hostName: string,
  wish: ConnectionWish = {},
): Result<ConnectionSpec> {
  return resolve(inventory, [hostName], wish);
}

/** Resolves the last host of a trail; the trail is how we came there, so that a circle is noticed. */
function resolve(
  inventory: Inventory,
  trail: readonly string[],
  wish: ConnectionWish,
): Result<ConnectionSpec> {
  const host = trail.at(-1) ?? '';
  if (!inventory.hosts.has(host)) return failure(unknownHost(inventory, host));
  if (trail.indexOf(host) < trail.length - 1) {
    const message = `towline_via goes in a circle: ${trail.join(' → ')}`;
    return failure(inventoryProblem('inventory.via-cycle', message, { where: { host } }));
  }
  const settings = new Settings(inventory, host);
  const child = trail.length === 1 ? undefined : trail.at(-2);
  const needsAccount = child === undefined || isContainer(new Settings(inventory, child));
  const become = needsAccount ? becomeOf(settings, wish) : undefined;
  const direct = directSpec(settings, { host, user: wish.user, become });
  const via = settings.text('towline_via') ?? '';
  if (via === '' || direct.kind === 'local') return success(direct);
  const parent = resolve(inventory, [...trail, via], {});
  return parent.ok ? success({ ...direct, via: parent.value }) : parent;
}

interface Asked {
  readonly host: string;
  readonly user: string | undefined;
  readonly become: BecomeSpec | undefined;
}

function directSpec(settings: Settings, { host, user, become }: Asked): ConnectionSpec {
  const pinned = settings.value('towline_pinned_keys');
  const pinnedKeys = Array.isArray(pinned) ? pinned.filter((key) => typeof key === 'string') : [];
  const unsaid: HostKeyPolicy = pinnedKeys.length > 0 ? 'pinned' : 'strict';
  const port = settings.value('towline_port');
  return {
    kind: kindOf(settings),
    host,
    address: settings.text('towline_host') ?? host,
    port: typeof port === 'number' ? port : 22,
    user: user ?? settings.text('towline_ssh_username'),
    password: settings.secret('towline_ssh_password'),
    keyFile: settings.text('towline_ssh_key'),
    hostKeys: hostKeyPolicies.find((policy) => policy === settings.text('towline_host_keys')) ?? unsaid,
    pinnedKeys,
    become,
    runtime: settings.text('towline_runtime'),
  };
}

function kindOf(settings: Settings): ConnectionKind {
  return connectionKinds.find((kind) => kind === settings.text('towline_connection')) ?? 'ssh';
}

/** Whether the host is run by a program of the machine it is on. */
function isContainer(settings: Settings): boolean {
  return (containerKinds as readonly string[]).includes(kindOf(settings));
}

function becomeOf(settings: Settings, wish: ConnectionWish): BecomeSpec | undefined {
  const setting = settings.value('towline_become');
  const method: BecomeMethod = becomeMethods.find((known) => known === setting) ?? 'sudo';
  const account = settings.text('towline_become_username');
  const none = setting === false || (setting === undefined && account === undefined);
  if (wish.become === undefined && none) return undefined;
  return {
    method,
    user: wish.become ?? account ?? 'root',
    password: settings.secret('towline_become_password'),
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
