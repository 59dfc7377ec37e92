/**
 * `pkg` and `service`: what is installed and what runs.
 * Invariant: a package is named as the host's own package manager names it.
 * Public: this file is part of the declarations editors show, so it imports from this folder only.
 */

import { Draft } from './draft.ts';
import type { MetaParameters, Resource } from './resource.ts';

/** Parameters of `pkg`. */
export interface PackageParameters extends MetaParameters {
  /** `'latest'` also upgrades. Default `'present'`. */
  state?: 'present' | 'latest' | 'absent' | undefined;
  /** The package manager's full version text; excludes `state: 'latest'`. */
  version?: string | undefined;
  /** Refresh the package lists first when they are older than this many seconds. */
  refreshAfter?: number | undefined;
  /** With `state: 'absent'`: also remove configuration files. */
  purge?: boolean | undefined;
}

/** Parameters of `service`. */
export interface ServiceParameters extends MetaParameters {
  /** `'restarted'` and `'reloaded'` always act, so they belong into handlers. */
  state?: 'running' | 'stopped' | 'restarted' | 'reloaded' | undefined;
  /** Start at boot. */
  enabled?: boolean | undefined;
  /** Forbid starting it at all. */
  masked?: boolean | undefined;
  /** Let systemd read its unit files again when they changed. */
  daemonReload?: boolean | undefined;
}

/** A package: `pkg('nginx')`. Its id is `package:nginx`. */
export function pkg(name: string, parameters?: PackageParameters): Resource;
/** Several packages with the same parameters: `pkg(['nginx', 'curl'])`. */
export function pkg(names: readonly string[], parameters?: PackageParameters): readonly Resource[];
export function pkg(names: string | readonly string[], parameters: PackageParameters = {}): unknown {
  if (typeof names === 'string') return new Draft(pkg, 'package', names, parameters);
  return names.map((name) => new Draft(pkg, 'package', name, parameters));
}

/** A systemd unit: `service('nginx', { state: 'running', enabled: true })`. */
export function service(unit: string, parameters: ServiceParameters): Resource {
  return new Draft(service, 'service', unit, parameters);
}
