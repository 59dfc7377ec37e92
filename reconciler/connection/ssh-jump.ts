/**
 * ProxyJump as data: `[user@]host[:port]` or `ssh://…`, one after the other.
 * Invariant: what ssh accepts is read as ssh reads it; an address of IPv6 stands in brackets where a port follows.
 * Pure.
 */

export interface JumpHop {
  readonly name: string;
  readonly user?: string | undefined;
  readonly port?: number | undefined;
}

/** The hosts of a ProxyJump, nearest first; empty for `none`. */
export function jumpHops(text: string): readonly JumpHop[] {
  if (text.trim().toLowerCase() === 'none') return [];
  return text.split(',').flatMap((part) => {
    const hop = jumpHop(part.trim());
    return hop === undefined ? [] : [hop];
  });
}

function jumpHop(text: string): JumpHop | undefined {
  const place = text.replace(/^ssh:\/\//, '').replace(/\/$/, '');
  const at = place.lastIndexOf('@');
  const user = at === -1 ? undefined : place.slice(0, at);
  const rest = place.slice(at + 1);
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+|[^:]*:[^:]*:.*?))(?::(\d+))?$/.exec(rest) ?? [];
  const name = bracketed ?? plain;
  if (name === undefined || name === '') return undefined;
  return { name, user, port: port === undefined ? undefined : Number(port) };
}
