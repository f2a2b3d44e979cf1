// The notebook that "Compress a model" opens: ready to run as it is, and the place to put one's own model.

import { URLExt } from '@jupyterlab/coreutils';
import type { Contents, KernelSpec } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { free, names } from './lessons';

const FILE = 'compress-a-model.ipynb';

/** Write the notebook into a folder under a name that is free; its path. */
export async function write(
  contents: Contents.IManager,
  folder: string,
  specs: KernelSpec.ISpecModels | null,
  trans: TranslationBundle
): Promise<string> {
  const path = URLExt.join(folder, free(FILE, await names(contents, folder)));
  await contents.save(path, { type: 'notebook', format: 'json', content: notebook(specs, trans) });
  return path;
}

/** A Python kernel: the default one where it is, else the first. */
export function python(specs: KernelSpec.ISpecModels | null): KernelSpec.ISpecModel | undefined {
  const found = Object.values(specs?.kernelspecs ?? {}).filter(each => each?.language === 'python');
  return found.find(each => each?.name === specs?.default) ?? found[0];
}

function notebook(specs: KernelSpec.ISpecModels | null, trans: TranslationBundle): object {
  const spec = python(specs);
  const kernel = spec && { name: spec.name, display_name: spec.display_name, language: 'python' };
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { ...(kernel ? { kernelspec: kernel } : {}), language_info: { name: 'python' } },
    cells: [
      markdown(
        'what',
        `# ${trans.__('Compress a model')}\n\n` +
          trans.__(
            'Run the cells: the studio opens on a small trained net with its data. ' +
              'To compress your own, put your model and its data into the second cell.'
          )
      ),
      code('load', '%load_ext workbench'),
      code(
        'model',
        'import workbench as wb\n\n' +
          'work = wb.examples.load("digits")\n' +
          '# work = wb.Workload(net, train=train_loader, validation=val_loader)'
      ),
      code('studio', '%compress work')
    ]
  };
}

function markdown(id: string, source: string): object {
  return { cell_type: 'markdown', id, metadata: {}, source };
}

function code(id: string, source: string): object {
  return { cell_type: 'code', id, metadata: {}, source, execution_count: null, outputs: [] };
}
