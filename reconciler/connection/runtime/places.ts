/**
 * Where a shipped runtime may lie on a host, best first, and when such a folder is trusted.
 * Invariant: a folder in a place that everybody may write to counts only when it is really there, not behind a link, and ours;
 * so nobody else on the host can put a program into our hands.
 * Pure text: whatever a host says never becomes part of a command here, but for digits.
 */

export const places = ['home', 'var-tmp', 'tmp', 'shm', 'run'] as const;
export type Place = (typeof places)[number];

/** The cache in the account's own home. */
export const homeCache = '"$HOME/.cache/towline"';

const shared: { readonly [P in Exclude<Place, 'home'>]: (user: string) => string } = {
  'var-tmp': (user) => `/var/tmp/towline-${user}`,
  tmp: (user) => `/tmp/towline-${user}`,
  shm: (user) => `/dev/shm/towline-${user}`,
  run: (user) => `/run/user/${user}/towline-${user}`,
};

/** The folder as a word of sh, in which `$u` is the account's number. */
export function placeWord(place: Place): string {
  return place === 'home' ? homeCache : `"${shared[place]('$u')}"`;
}

/** The folder's path, `~` being the account's home. */
export function placePath(place: Place, user: number): string {
  return place === 'home' ? '~/.cache/towline' : shared[place](String(user));
}

/** The folder as a person knows it. */
export function placeName(place: Place): string {
  return place === 'home' ? '~/.cache/towline' : shared[place]('').replace(/\/?towline-$/, '');
}

/** Words of sh that match the folders of all accounts in the shared places. */
export const sharedFolders = [
  '/var/tmp/towline-[0-9]*',
  '/tmp/towline-[0-9]*',
  '/dev/shm/towline-[0-9]*',
  '/run/user/[0-9]*/towline-[0-9]*',
].join(' ');

/** A function of sh, `enter FOLDER`: goes there and succeeds only if the folder is to be trusted. */
export const enterFunction =
  'enter() { cd -P "$1" 2>/dev/null && [ -O . ] && { [ "$1" = "$HOME/.cache/towline" ] || [ "$PWD" = "$1" ]; }; }';
