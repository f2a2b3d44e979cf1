"use strict";(self.rspackChunkcompression_workbench=self.rspackChunkcompression_workbench||[]).push([[266],{646(r,o,e){var t=e(601),n=e.n(t),a=e(314),i=(e.n(a))()(n());i.push([r.id,`/* The panel and the studio's tab, in JupyterLab's own colours and type, so that every theme works. */

.wbx-panel {
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1);
  font-variant-numeric: tabular-nums;
  overflow-y: auto;
  padding: 8px 12px;
}

.wbx-panel h2 {
  font-size: var(--jp-ui-font-size1);
  font-weight: 600;
  margin: 0 0 4px;
  overflow-wrap: anywhere;
}

.wbx-panel h3 {
  border-top: var(--jp-border-width) solid var(--jp-border-color2);
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1);
  font-weight: 600;
  margin: 12px 0 4px;
  padding-top: 8px;
}

.wbx-panel h4 {
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
  font-weight: 600;
  margin: 8px 0 2px;
  overflow-wrap: anywhere;
}

.wbx-panel ul {
  list-style: none;
  margin: 0;
  padding: 0;
}

.wbx-panel p {
  line-height: 1.4;
  margin: 0 0 4px;
}

.wbx-row {
  display: flex;
  flex-wrap: wrap;
  gap: 0 8px;
  padding: 4px 0;
}

.wbx-name {
  font-family: var(--jp-code-font-family);
  font-size: var(--jp-code-font-size);
  overflow-wrap: anywhere;
}

.wbx-row[aria-current] .wbx-name {
  font-weight: 700;
}

.wbx-figures,
.wbx-empty,
.wbx-said {
  color: var(--jp-ui-font-color2);
}

.wbx-figures {
  flex-basis: 100%;
}

.wbx-buttons {
  display: flex;
  flex-wrap: wrap;
  gap: 4px;
  margin-top: 2px;
}

.wbx-button {
  background: var(--jp-layout-color2);
  border: var(--jp-border-width) solid var(--jp-border-color2);
  border-radius: var(--jp-border-radius);
  color: var(--jp-ui-font-color1);
  cursor: pointer;
  font: inherit;
  font-size: var(--jp-ui-font-size0);
  line-height: 18px;
  padding: 0 6px;
}

.wbx-button:hover {
  background: var(--jp-layout-color3);
}

.wbx-button:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: 1px;
}

.wbx-note-line {
  border-left: 3px solid var(--jp-brand-color1);
  overflow-wrap: anywhere;
  padding-left: 8px;
}

.wbx-warning {
  border-left: 3px solid var(--jp-warn-color1);
  padding-left: 8px;
}

.wbx-studio {
  background: var(--jp-layout-color0);
  overflow: auto;
  padding: 8px;
}

.wbx-note {
  color: var(--jp-ui-font-color1);
  padding: 16px;
}

/* charts with colours of their own, where the settings ask for them */
body[data-wb-charts='light'] .wb-figure {
  --jp-ui-font-color1: #212121;
  --jp-ui-font-color2: #616161;
  --jp-border-color1: #bdbdbd;
  --jp-layout-color0: #fff;
  background: #fff;
}

body[data-wb-charts='dark'] .wb-figure {
  --jp-ui-font-color1: #fff;
  --jp-ui-font-color2: #bdbdbd;
  --jp-border-color1: #616161;
  --jp-layout-color0: #111;
  background: #111;
}
`,""]),e.d(o,{},{A:i})},314(r){r.exports=function(r){var o=[];return o.toString=function(){return this.map(function(o){var e="",t=void 0!==o[5];return o[4]&&(e+="@supports (".concat(o[4],") {")),o[2]&&(e+="@media ".concat(o[2]," {")),t&&(e+="@layer".concat(o[5].length>0?" ".concat(o[5]):""," {")),e+=r(o),t&&(e+="}"),o[2]&&(e+="}"),o[4]&&(e+="}"),e}).join("")},o.i=function(r,e,t,n,a){"string"==typeof r&&(r=[[null,r,void 0]]);var i={};if(t)for(var p=0;p<this.length;p++){var s=this[p][0];null!=s&&(i[s]=!0)}for(var c=0;c<r.length;c++){var l=[].concat(r[c]);t&&i[l[0]]||(void 0!==a&&(void 0===l[5]||(l[1]="@layer".concat(l[5].length>0?" ".concat(l[5]):""," {").concat(l[1],"}")),l[5]=a),e&&(l[2]&&(l[1]="@media ".concat(l[2]," {").concat(l[1],"}")),l[2]=e),n&&(l[4]?(l[1]="@supports (".concat(l[4],") {").concat(l[1],"}"),l[4]=n):l[4]="".concat(n)),o.push(l))}},o}},601(r){r.exports=function(r){return r[1]}},665(r,o,e){e.r(o);var t=e(72),n=e.n(t),a=e(825),i=e.n(a),p=e(659),s=e.n(p),c=e(56),l=e.n(c),u=e(540),d=e.n(u),f=e(113),b=e.n(f),v=e(646),h={};h.styleTagTransform=b(),h.setAttributes=l(),h.insert=s().bind(null,"head"),h.domAPI=i(),h.insertStyleElement=d(),n()(v.A,h);let w=v.A&&v.A.locals?v.A.locals:void 0;e.d(o,{},{default:w})},72(r){var o=[];function e(r){for(var e=-1,t=0;t<o.length;t++)if(o[t].identifier===r){e=t;break}return e}function t(r,t){for(var n={},a=[],i=0;i<r.length;i++){var p=r[i],s=t.base?p[0]+t.base:p[0],c=n[s]||0,l="".concat(s," ").concat(c);n[s]=c+1;var u=e(l),d={css:p[1],media:p[2],sourceMap:p[3],supports:p[4],layer:p[5]};if(-1!==u)o[u].references++,o[u].updater(d);else{var f=function(r,o){var e=o.domAPI(o);return e.update(r),function(o){o?(o.css!==r.css||o.media!==r.media||o.sourceMap!==r.sourceMap||o.supports!==r.supports||o.layer!==r.layer)&&e.update(r=o):e.remove()}}(d,t);t.byIndex=i,o.splice(i,0,{identifier:l,updater:f,references:1})}a.push(l)}return a}r.exports=function(r,n){var a=t(r=r||[],n=n||{});return function(r){r=r||[];for(var i=0;i<a.length;i++){var p=e(a[i]);o[p].references--}for(var s=t(r,n),c=0;c<a.length;c++){var l=e(a[c]);0===o[l].references&&(o[l].updater(),o.splice(l,1))}a=s}}},659(r){var o={};r.exports=function(r,e){var t=function(r){if(void 0===o[r]){var e=document.querySelector(r);if(window.HTMLIFrameElement&&e instanceof window.HTMLIFrameElement)try{e=e.contentDocument.head}catch(r){e=null}o[r]=e}return o[r]}(r);if(!t)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");t.appendChild(e)}},540(r){r.exports=function(r){var o=document.createElement("style");return r.setAttributes(o,r.attributes),r.insert(o,r.options),o}},56(r,o,e){r.exports=function(r){var o=e.nc;o&&r.setAttribute("nonce",o)}},825(r){r.exports=function(r){if("u"<typeof document)return{update:function(){},remove:function(){}};var o=r.insertStyleElement(r);return{update:function(e){var t,n,a;t="",e.supports&&(t+="@supports (".concat(e.supports,") {")),e.media&&(t+="@media ".concat(e.media," {")),(n=void 0!==e.layer)&&(t+="@layer".concat(e.layer.length>0?" ".concat(e.layer):""," {")),t+=e.css,n&&(t+="}"),e.media&&(t+="}"),e.supports&&(t+="}"),(a=e.sourceMap)&&"u">typeof btoa&&(t+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(a))))," */")),r.styleTagTransform(t,o,r.options)},remove:function(){var r;null===(r=o).parentNode||r.parentNode.removeChild(r)}}}},113(r){r.exports=function(r,o){if(o.styleSheet)o.styleSheet.cssText=r;else{for(;o.firstChild;)o.removeChild(o.firstChild);o.appendChild(document.createTextNode(r))}}}}]);