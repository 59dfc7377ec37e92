/**
 * The kernel's list of mounts as data.
 * Invariant: paths are real text; the kernel's octal escapes are undone.
 * Pure.
 */

export const mountTablePath = '/proc/self/mounts';

export interface Mount {
  readonly path: string;
  readonly device: string;
  readonly type: string;
  readonly readOnly: boolean;
}

/** Every mount of /proc/self/mounts, in the kernel's order. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [device, path, type, options] = line.split(' ');
    if (device === undefined || path === undefined || type === undefined || options === undefined) return [];
    const readOnly = options.split(',').includes('ro');
    return [{ path: unescaped(path), device: unescaped(device), type, readOnly }];
  });
}

/** The kernel escapes white space, backslash and hash; all else stands as it is. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
