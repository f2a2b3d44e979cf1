// The left-hand panel: the models in the kernel of the notebook in front, and the versions made so far.

import { ReactWidget } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import * as React from 'react';
import type { Actions } from './actions';
import type { Follower } from './follower';
import { icon } from './icon';
import { VERSION } from './kernel';
import type { Family, Listing, Model, Told, Version } from './records';
import type { State, Watched } from './watched';

export class Panel extends ReactWidget {
  constructor(
    private readonly follower: Follower,
    private readonly actions: Actions,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.id = 'compression-workbench-panel';
    this.addClass('wbx-panel');
    this.title.icon = icon;
    this.title.caption = trans.__('Compression workbench');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Compression workbench'));
    follower.changed.connect(() => {
      this.update();
    });
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.follower.isShown = true;
    this.update();
  }

  protected override onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    this.follower.isShown = false;
  }

  override render(): React.JSX.Element {
    const { actions, trans } = this;
    return <Contents watched={this.follower.current} actions={actions} trans={trans} />;
  }
}

interface Common {
  readonly actions: Actions;
  readonly trans: TranslationBundle;
}

function Contents({ watched, actions, trans }: Common & { watched: Watched | null }): React.JSX.Element {
  const listing = watched?.listing ?? null;
  return (
    <>
      <header className="wbx-header">
        <h2>{watched ? watched.notebook.title.label : trans.__('No notebook')}</h2>
        <p className="wbx-said" role="status">
          {said(watched, trans)}
        </p>
      </header>
      {watched?.note && (
        <p className="wbx-note-line" role="status">
          {watched.note}
        </p>
      )}
      {listing?.differ && <Differ told={listing} trans={trans} />}
      {watched?.state.kind === 'ready' && listing && (
        <Listed listing={listing} actions={actions} trans={trans} />
      )}
    </>
  );
}

/** What there is to say instead of a list, or about it. */
function said(watched: Watched | null, trans: TranslationBundle): string {
  if (!watched) return trans.__('Open a notebook to see its models here.');
  if (watched.state.kind === 'ready' && watched.isBusy)
    return trans.__('The kernel is busy; the list is from before and will catch up.');
  return words(watched.state, watched.isBusy, trans);
}

function words(state: State, isBusy: boolean, trans: TranslationBundle): string {
  switch (state.kind) {
    case 'ready':
      return '';
    case 'starting':
      return isBusy
        ? trans.__('The kernel is busy; its models are listed when it rests.')
        : trans.__('Waiting for the kernel…');
    case 'no-kernel':
      return trans.__('This notebook has no kernel. Choose one in its toolbar.');
    case 'dead':
      return trans.__('The kernel has died. Restart it, and run the cells that make the model.');
    case 'not-python':
      return trans.__('This kernel speaks %1. The workbench needs a Python kernel.', state.language);
    case 'absent':
      return trans.__(
        'The workbench is not installed in the environment of this kernel. Install it there with pip, then restart the kernel.'
      );
    case 'other':
      return trans.__(
        'The environment of this kernel has another package named workbench, or an older one. Install compression-workbench %1 there, then restart the kernel.',
        VERSION
      );
    case 'failed':
      return trans.__('The kernel could not say what it has: %1', state.why);
  }
}

function Differ({ told, trans }: { told: Told; trans: TranslationBundle }): React.JSX.Element {
  return (
    <p className="wbx-warning" role="alert">
      {trans.__(
        'This front end is %1, the package in the kernel is %2. Update the older, then restart the kernel and reload this page.',
        VERSION,
        told.version
      )}
    </p>
  );
}

function Listed({ listing, actions, trans }: Common & { listing: Listing }): React.JSX.Element {
  const { models, families, left_out } = listing;
  return (
    <>
      <section aria-label={trans.__('Models')}>
        <h3>{trans.__('Models')}</h3>
        {models.length === 0 && (
          <p className="wbx-empty">
            {trans.__(
              'No PyTorch model yet. Run the cell that makes one, or %compress alone for an example.'
            )}
          </p>
        )}
        <ul>
          {models.map(model => (
            <ModelRow key={model.name} model={model} actions={actions} trans={trans} />
          ))}
        </ul>
        {left_out > 0 && <p className="wbx-empty">{trans._n('and %1 more', 'and %1 more', left_out)}</p>}
      </section>
      <section aria-label={trans.__('Versions')}>
        <h3>{trans.__('Versions')}</h3>
        {families.length === 0 && (
          <p className="wbx-empty">{trans.__('None yet. Press Run in the studio to make one.')}</p>
        )}
        {families.map((family, index) => (
          <FamilyList key={index} family={family} actions={actions} trans={trans} />
        ))}
      </section>
    </>
  );
}

function ModelRow({ model, actions, trans }: Common & { model: Model }): React.JSX.Element {
  const { name, line, texts } = model;
  return (
    <li className="wbx-row" data-model={name}>
      <span className="wbx-name">{name}</span>
      <span className="wbx-figures">
        {model.class} · {trans.__('%1 parameters', texts.parameters)} · {texts.bytes}
      </span>
      <span className="wbx-buttons">
        {line === null ? (
          <span className="wbx-empty">{trans.__('Give it a plain name to use it.')}</span>
        ) : (
          <>
            <Button
              label={trans.__('Studio')}
              title={trans.__('Open the studio on %1 in its own tab', name)}
              act={() => {
                actions.openStudio(line, name);
              }}
            />
            <Button
              label={trans.__('Insert')}
              title={trans.__('Insert %compress for %1 into the notebook', name)}
              act={() => {
                actions.insertLine(line);
              }}
            />
          </>
        )}
      </span>
    </li>
  );
}

function FamilyList({ family, actions, trans }: Common & { family: Family }): React.JSX.Element {
  return (
    <>
      <h4>{family.name}</h4>
      {family.warning && <p className="wbx-warning">{family.warning}</p>}
      <ul>
        {[...family.versions].reverse().map(version => (
          <VersionRow key={version.id} family={family} version={version} actions={actions} trans={trans} />
        ))}
      </ul>
    </>
  );
}

function VersionRow({
  family,
  version,
  actions,
  trans
}: Common & { family: Family; version: Version }): React.JSX.Element {
  const { name, line, code, texts } = version;
  const canCompare = family.word !== null || family.versions.length > 1;
  return (
    <li className="wbx-row" data-version={name} aria-current={version.is_head ? 'true' : undefined}>
      <span className="wbx-name" title={version.recipe}>
        {version.is_head && <span title={trans.__('The version one works from')}>▶ </span>}
        {name}
        {version.is_stopped && ` (${trans.__('stopped')})`}
      </span>
      <span className="wbx-figures">
        <span title={trans.__('accuracy')}>{texts.accuracy}</span>
        {' · '}
        <span title={trans.__('stored size')}>{texts.bytes}</span>
        {' · '}
        <span title={trans.__('speed-up')}>{texts.speedup}</span>
      </span>
      <span className="wbx-buttons">
        <Button
          label={trans.__('Studio')}
          title={trans.__('Open the studio on %1 in its own tab', name)}
          act={() => {
            actions.openStudio(line, name);
          }}
        />
        {canCompare && (
          <Button
            label={trans.__('Compare')}
            title={trans.__('Compare %1 with another', name)}
            act={() => void actions.compare(family, version)}
          />
        )}
        <Button
          label={trans.__('Save')}
          title={trans.__('Save %1 to a file', name)}
          act={() => void actions.save(version)}
        />
        {code !== null && (
          <Button
            label={trans.__('Code')}
            title={trans.__('Insert the code that makes %1', name)}
            act={() => {
              actions.insertCode(code);
            }}
          />
        )}
      </span>
    </li>
  );
}

function Button({ label, title, act }: { label: string; title: string; act: () => void }): React.JSX.Element {
  return (
    <button type="button" className="wbx-button" title={title} aria-label={title} onClick={act}>
      {label}
    </button>
  );
}
