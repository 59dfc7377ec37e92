/**
 * What every helper gives and what every kind's parameters share.
 * Invariant: meta parameters apply to every kind and to none in particular.
 * Public: this file is part of the declarations editors show, so it imports from this folder only.
 */

/** A declared resource. Helpers make it; list it in `resources` of a role. */
export interface Resource {
  readonly kind: string;
  readonly name: string;
  /** `kind:name`, unique inside a role. */
  readonly id: string;
}

/** Names another resource of the role: what a helper returned, or its id such as `package:nginx`. */
export type ResourceReference = Resource | string;

/**
 * A condition. A boolean is decided here, while the plan is made. A string is decided on the host, over registered
 * results: `"probe.rc == 0 and not other.changed"`.
 */
export type Condition = boolean | string;

/** Parameters that every kind takes. Times are in seconds. */
export interface MetaParameters {
  /** Apply only if this holds. `false` leaves the resource out of the plan; a string is decided on the host. */
  when?: Condition | undefined;
  /** Handlers to run at the end of the role if this resource changed something. */
  notify?: string | readonly string[] | undefined;
  /** Keep the result under this name, for later conditions and templates on the host. */
  register?: string | undefined;
  /** Decides whether the result counts as changed; its own result is `result`, e.g. `"result.rc == 2"`. */
  changedWhen?: Condition | undefined;
  /** Decides whether the result counts as failed; its own result is `result`. */
  failedWhen?: Condition | undefined;
  /** Go on with the role when this resource fails. */
  ignoreErrors?: boolean | undefined;
  /** Try again this many times before failing. */
  retries?: number | undefined;
  /** Seconds between tries. */
  delay?: number | undefined;
  /** Seconds after which the resource counts as failed. */
  timeout?: number | undefined;
  /** For `--tags` and `--skip-tags`. */
  tags?: readonly string[] | undefined;
  /** Resources that must be done before this one. */
  requires?: ResourceReference | readonly ResourceReference[] | undefined;
  /** Hide contents and output in reports, diffs and history. */
  sensitive?: boolean | undefined;
}

/** Who owns a path. What is left out stays as it is. */
export interface OwnershipParameters {
  /** User name, or a numeric id as text. */
  owner?: string | undefined;
  /** Group name, or a numeric id as text. */
  group?: string | undefined;
  /** Permission bits as octal digits, e.g. `'0644'`. */
  mode?: string | undefined;
}

/** Whether the thing is to be there. */
export type Presence = 'present' | 'absent';
