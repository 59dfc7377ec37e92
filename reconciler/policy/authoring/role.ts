/**
 * `defineRole`: what a role file exports, and what its functions are given.
 * Invariant: functions of a role are pure: the same context gives the same resources.
 * Public: this file is part of the declarations editors show, so it imports from this folder only.
 */

import { RoleDraft } from './draft.ts';
import type { Facts, Json } from './facts.ts';
import type { Resource } from './resource.ts';

/** Variables with their defaults. */
export interface Variables {
  readonly [name: string]: Json;
}

/** Variables in force: those a role declares have the types of their defaults, others are unknown. */
export type VariablesInForce<Declared> = {
  readonly [Name in keyof Declared]: Widened<Declared[Name]>;
} & { readonly [name: string]: unknown };

/** The type that a default stands for. */
export type Widened<Value> = Value extends string
  ? string
  : Value extends number
    ? number
    : Value extends boolean
      ? boolean
      : Value;

/** What the functions of a role are given. Everything they read is recorded; nothing else can change a plan. */
export interface RoleContext<Declared = Variables> {
  /** Variables: role defaults, then the inventory, then extra variables. */
  readonly vars: VariablesInForce<Declared>;
  /** What was observed about the host. */
  readonly facts: Facts;
  readonly host: {
    readonly name: string;
    /** Every group the host is in, `all` included. */
    readonly groups: readonly string[];
  };
  readonly environment: { readonly name: string; readonly branch: string };
  /** The role's name. */
  readonly role: string;
  /**
   * A data file, looked for in `roles/<role>/data/`, then in `data/`: parsed when it ends in .json or .toml,
   * else its text.
   */
  data(path: string): Json;
}

/** A count, or a share of the hosts such as `'25%'`. */
export type Share = number | `${number}%`;

/** What `resources` may return, nested as it comes. `false`, `null` and `undefined` are left out. */
export type ResourceList = Resource | false | null | undefined | readonly ResourceList[];

/** A role. */
export interface RoleSpec<Declared = Variables> {
  /** The hosts it is for: by patterns of groups, of names, or both. Left out: every host. */
  targets?:
    | {
        /** Patterns such as `'web*'`; a host matches when one of its groups does. */
        groups?: readonly string[] | undefined;
        /** Patterns of host names. */
        hosts?: readonly string[] | undefined;
      }
    | undefined;
  /** How to come in; goes before the inventory. */
  connect?:
    | {
        /** The account to log in as. */
        user?: string | undefined;
        /** The account to become; method and password come from the inventory. */
        become?: string | undefined;
      }
    | undefined;
  /** Waves: each a count or a share, the last repeats: `[1, '25%']`. Left out: all hosts at once. */
  serial?: Share | readonly Share[] | undefined;
  /**
   * More failed hosts than this, and nothing further is started: no later wave and no later role. Default: 0 with `serial`, so that a
   * failed canary stops the role; `'100%'` without, so that healthy hosts go on to later roles. Unreachable hosts do not count.
   */
  maxFailures?: Share | undefined;
  /** Roles that must be done before this one, where both are wanted. */
  after?: readonly string[] | undefined;
  /** Defaults; the inventory and extra variables go before them. */
  variables?: Declared | undefined;
  /** Tags of every resource of the role. */
  tags?: readonly string[] | undefined;
  /** Whether the host wants the role at all. */
  when?: ((context: RoleContext<Declared>) => boolean) | undefined;
  /** What the host should be, in the order it is applied. */
  resources: (context: RoleContext<Declared>) => ResourceList;
  /** What to do once at the end, when something that changed notified it. */
  handlers?: { readonly [name: string]: (context: RoleContext<Declared>) => ResourceList } | undefined;
}

/** A defined role: the default export of `roles/<name>/role.ts`. */
export interface RoleDefinition {
  readonly spec: object;
}

/** Defines a role: `export default defineRole({ resources: () => [pkg('nginx')] })`. */
export function defineRole<Declared extends Variables = Record<never, never>>(
  spec: RoleSpec<Declared>,
): RoleDefinition {
  return new RoleDraft(defineRole, spec);
}
