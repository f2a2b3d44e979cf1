// What a kernel answers, see asking.py and listing.py: plain records, made into words there.

export interface Model {
  readonly name: string;
  readonly kind: 'model' | 'workload';
  readonly class: string;
  readonly texts: { readonly parameters: string; readonly bytes: string };
  /** How `%compress` is told the name; null where it cannot be. */
  readonly word: string | null;
  /** The line that opens the studio on it; null where there is none. */
  readonly line: string | null;
}

export interface Version {
  readonly id: string;
  readonly name: string;
  readonly recipe: string;
  readonly texts: { readonly accuracy: string; readonly bytes: string; readonly speedup: string };
  readonly is_head: boolean;
  readonly is_stopped: boolean;
  readonly word: string;
  readonly line: string;
  /** The Python that makes it again; null where its model has no name. */
  readonly code: string | null;
}

export interface Family {
  readonly name: string;
  readonly word: string | null;
  readonly versions: readonly Version[];
  readonly warning: string | null;
}

export interface Listing {
  readonly models: readonly Model[];
  readonly families: readonly Family[];
  readonly left_out: number;
  readonly are_magics_loaded: boolean;
}

/** What every answer has. */
export interface Told {
  readonly version: string;
  readonly differ: boolean;
  readonly error?: string;
}

export interface Saved {
  readonly said?: string;
  readonly exists?: string;
}
