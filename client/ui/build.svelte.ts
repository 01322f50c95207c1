/** The build that runs here, as the server's build.json says. It is a claim: comparing it elsewhere is what proves something. */

export interface BuildInfo {
  /** SHA-256 over the hashes of all files, hex. */
  hash: string;
  commit: string | null;
}

/** @returns null for anything that is not the manifest that our build writes */
export function readBuildInfo(value: unknown): BuildInfo | null {
  if (typeof value !== 'object' || value === null) return null;
  const { hash, commit } = value as Record<string, unknown>;
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) return null;
  return { hash, commit: typeof commit === 'string' ? commit.slice(0, 64) : null };
}

class Build {
  #info = $state.raw<BuildInfo | null>(null);
  #asked = false;

  /** Null until it is known, and where it cannot be had (a development server has none). */
  get info(): BuildInfo | null {
    return this.#info;
  }

  load(): void {
    if (this.#asked) return;
    this.#asked = true;
    void this.#fetch();
  }

  async #fetch(): Promise<void> {
    try {
      const response = await fetch('/build.json', { credentials: 'omit' });
      const isJson = response.headers.get('content-type')?.includes('json') ?? false;
      if (response.ok && isJson) this.#info = readBuildInfo(await response.json());
    } catch {
      // Offline: the mark stays away, and the next visit asks again.
      this.#asked = false;
    }
  }
}

export const build = new Build();
