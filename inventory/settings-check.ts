/**
 * Checks of settings that need more than one value: via targets, via chains, addresses and settings by kind.
 * Invariant: after it every via chain ends, and every host has an address that its kind of connection takes.
 * Never reports one mistake in a group once for each of its hosts.
 */

import type { Json } from '../agent/protocol/json.ts';
import type { Place, Problem } from '../agent/protocol/problem.ts';
import { wantedAddress } from './addresses.ts';
import { type ConnectionKind, connectionKinds } from './connection-spec.ts';
import { findCycles } from './cycles.ts';
import type { MagicName } from './magic.ts';
import type { Provenance } from './model.ts';
import { inventoryProblem } from './problem-codes.ts';
import { didYouMean } from './suggest.ts';
import { placeOf, type Source } from './variables.ts';

/** The hosts with their settings in force. */
export interface SettingsView {
  readonly hosts: ReadonlyMap<string, unknown>;
  magicOf(host: string): ReadonlyMap<MagicName, Json> | undefined;
  provenance(host: string, variable: string): Provenance | undefined;
}

/** All problems of the settings in force, each once. */
export function checkSettings(sources: readonly Source[], view: SettingsView): readonly Problem[] {
  return onceEach([...unknownVias(sources, view), ...viaCycles(view), ...combinations(view)]);
}

function unknownVias(sources: readonly Source[], view: SettingsView): readonly Problem[] {
  return sources.flatMap((source) => {
    const via = source.magic.get('towline_via')?.value;
    if (typeof via !== 'string' || via === '' || view.hosts.has(via)) return [];
    const message = `towline_via names "${via}", which is not a host${didYouMean(via, view.hosts.keys())}`;
    return [inventoryProblem('inventory.unknown-via', message, { where: placeOf(source, 'towline_via') })];
  });
}

function viaCycles(view: SettingsView): readonly Problem[] {
  const next = (host: string) => {
    const via = viaOf(host, view);
    return via === undefined ? [] : [via];
  };
  return findCycles(view.hosts.keys(), next).map((cycle) => {
    const message = `towline_via goes in a circle: ${cycle.join(' → ')}`;
    return inventoryProblem('inventory.via-cycle', message, located(view, cycle[0] ?? '', 'towline_via'));
  });
}

function combinations(view: SettingsView): readonly Problem[] {
  return [...view.hosts.keys()].flatMap((host) => {
    const kind = kindOf(host, view);
    return [...badAddress(host, kind, view), ...noEffects(host, kind, view), ...badSsh(host, kind, view)];
  });
}

function badAddress(host: string, kind: ConnectionKind, view: SettingsView): readonly Problem[] {
  const address = view.magicOf(host)?.get('towline_host');
  const wanted = wantedAddress(kind, typeof address === 'string' ? address : host);
  if (wanted === undefined) return [];
  const message =
    address === undefined
      ? `host "${host}" needs towline_host: by ${kind} it is reached at ${wanted}`
      : `host "${host}" is reached by ${kind}, so towline_host must be ${wanted}`;
  const where = located(view, host, address === undefined ? 'towline_connection' : 'towline_host');
  return [inventoryProblem('inventory.bad-address', message, where)];
}

/** Settings that only SSH has; others reach every kind of host. */
const sshOnly: readonly MagicName[] = [
  'towline_port',
  'towline_ssh_username',
  'towline_ssh_password',
  'towline_ssh_key',
  'towline_host_keys',
  'towline_pinned_keys',
  'towline_transport',
];

/** What stands beside the kind, or nearer to the host, was meant for it; what comes from farther up was meant for others. */
function noEffects(host: string, kind: ConnectionKind, view: SettingsView): readonly Problem[] {
  if (kind === 'ssh') return [];
  const magic = view.magicOf(host);
  const names = kind === 'local' ? [...sshOnly, 'towline_via' as const, 'towline_relay' as const] : sshOnly;
  const layer = view.provenance(host, 'towline_connection')?.layer;
  return names.flatMap((name) => {
    const value = magic?.get(name);
    if (value === undefined || value === '' || value === false) return [];
    const own = view.provenance(host, name)?.layer;
    if (own !== 'host' && own !== layer) return [];
    const message = `host "${host}" has ${name}, which has no effect with towline_connection = "${kind}"`;
    return [inventoryProblem('inventory.no-effect', message, located(view, host, name))];
  });
}

function badSsh(host: string, kind: ConnectionKind, view: SettingsView): readonly Problem[] {
  if (kind !== 'ssh') return [];
  const problems: Problem[] = [];
  const magic = view.magicOf(host);
  if (magic?.get('towline_host_keys') === 'pinned' && !magic.has('towline_pinned_keys')) {
    const message = `host "${host}" has towline_host_keys = "pinned", but no towline_pinned_keys`;
    const where = located(view, host, 'towline_host_keys');
    problems.push(inventoryProblem('inventory.no-pinned-keys', message, where));
  }
  const via = viaOf(host, view);
  if (via !== undefined && kindOf(via, view) === 'local') {
    const message = `host "${host}" goes via "${via}", which is the controller itself (towline_connection = "local")`;
    problems.push(inventoryProblem('inventory.via-local', message, located(view, host, 'towline_via')));
  }
  return problems;
}

function kindOf(host: string, view: SettingsView): ConnectionKind {
  const said = view.magicOf(host)?.get('towline_connection');
  return connectionKinds.find((kind) => kind === said) ?? 'ssh';
}

/** The host that a host is reached through; a local one needs none. */
function viaOf(host: string, view: SettingsView): string | undefined {
  const magic = view.magicOf(host);
  const via = magic?.get('towline_via');
  if (typeof via !== 'string' || via === '' || magic?.get('towline_connection') === 'local') return undefined;
  return via;
}

function located(view: SettingsView, host: string, variable: string): { readonly where: Place } {
  const found = view.provenance(host, variable);
  return {
    where:
      found === undefined ? { host } : { file: found.file, line: found.line, column: found.column, host },
  };
}

/** Keeps the first problem of a code at a place: what a group says is wrong once, not once a host. */
function onceEach(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Set<string>();
  return problems.filter(({ code, where }) => {
    const key = JSON.stringify([code, where?.file, where?.line, where?.column]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
