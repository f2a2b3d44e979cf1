// The sign of the workbench: three bars that get shorter under a press.

import { LabIcon } from '@jupyterlab/ui-components';

const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">
  <g class="jp-icon3" fill="#616161">
    <path d="M3 3h18v3H3z"/>
    <path d="M11 6h2v3h3l-4 4-4-4h3z"/>
    <path d="M4 15h16v2H4zM7 19h10v2H7z"/>
  </g>
</svg>`;

export const icon = new LabIcon({ name: 'compression-workbench:icon', svgstr });
