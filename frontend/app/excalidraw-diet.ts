import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const DIST = fileURLToPath(new URL('../node_modules/@excalidraw/excalidraw/dist/prod/', import.meta.url));
const DIAGRAMS = fileURLToPath(new URL('../node_modules/@excalidraw/mermaid-to-excalidraw/dist/', import.meta.url));
const OTHER_LANGUAGES = /^\.\/locales\/(?!en-|ko-KR-|percentages-)/;
const NO_LANGUAGE = '\0no-language';

/** The folder of the fonts: its name has the version, as files of one name differ between versions. */
const VERSION = (JSON.parse(readFileSync(`${DIST}../../package.json`, 'utf8')) as { version: string }).version;
const FONTS = `assets/excalidraw-${VERSION}/`;

/** Replacements in Excalidraw's code when it is bundled; the build fails if one is not found. */
const CHANGES: { what: string; find: RegExp; put: string }[] = [
  { what: 'the 13 MB handwriting of Chinese, Japanese and Korean', find: /\[\{uri:\w+,descriptors:\{unicodeRange:"U\+f9b8[^\]]*\]/, put: '[]' },
  { what: 'fonts from a host that is not ours', find: /r\.push\(new URL\(n,\w+\.ASSETS_FALLBACK_URL\)\),/, put: '' },
  { what: 'the search for selected elements while none is selected', find: /(\w+)=(\w+)\.some\((\w+)=>(\w+)\.selectedElementIds\[\3\.id\]\)/, put: '$1=Object.keys($4.selectedElementIds).length>0&&$2.some($3=>$4.selectedElementIds[$3.id])' },
  { what: 'the walk over all elements while none is selected', find: /for\(let (\w+) of (\w+)\.values\(\)\)\{if\((\w+)\.selectedElementIds\[\1\.id\]\)/, put: 'if(Object.keys($3.selectedElementIds).length>0)$&' },
  { what: 'the list of all elements that each panel makes while none is selected', find: /(\w+)=(\w+)\((\w+)\),(\w+)=null;return (\w+)&&\(\4=(\w+)\(\5\)\),\4\|\|\((\w+)\(\1,(\w+)\)/, put: '$1=Object.keys($8.selectedElementIds).length>0?$2($3):[],$4=null;return $5&&($4=$6($5)),$4||($7($1,$8)' },
  { what: 'the search for wrong indices while all are in order', find: /=>\{(?=let \w+=\w+\((\w+)\),\w+=\w+\(\1,\w+\);for\(let\[\w+,\w+\]of \w+\)\w+\(\w+,\w+,!1\);return \1\})/, put: '=>{if($1.every((o,i)=>o.index&&(i===0||$1[i-1].index<o.index)))return $1;' },
  // Lists in an element are replaced, not changed, but for arrows with elbows: a copy of the first level stays as it was. The pen needs none.
  { what: 'the deep copy of all elements at each press of the pointer', find: /originalElements:(this\.scene\.getNonDeletedElements\(\)\.reduce\(\((\w+),(\w+)\)=>\(\2\.set\(\3\.id,)(\w+\(\3\))/, put: 'originalElements:this.state.activeTool.type==="freedraw"?new Map:$1$3.elbowed?$4:{...$3}' },
  { what: 'the search for a shape under the start of a freehand stroke', find: /let (\w+)=\w+\(\w+\.origin,this\.scene\.getNonDeletedElements\(\),this\.scene\.getNonDeletedElementsMap\(\),this\.state\.zoom\);(?=this\.setState\(\{newElement:\w+,startBoundElement:\1,suggestedBindings:\[\]\}\)\}\);\w+\(this,"insertIframeElement")/, put: 'let $1=null;' },
  { what: 'the drawing of all elements at each change', find: /(\w+)=(\(\{canvas:(\w+),rc:(\w+),elementsMap:(\w+),allElementsMap:(\w+),visibleElements:(\w+),scale:(\w+),appState:(\w+),renderConfig:(\w+)\}\)=>\{if\(\3===null\)return;let\{renderGrid:.{1,60}?,(\w+)=\w+\(\{canvas:\3,.{1,700}?)(\7\.filter\((\w+)=>!\w+\(\13\)\))\.forEach\(/, put: '$1=$2(globalThis.ISSHONI_DRAW??((list,_,draw)=>list.forEach(draw)))($12,{canvas:$3,context:$11,scale:$8,appState:$9,renderConfig:$10,elementsMap:$5,drawOn:context=>{$11=context},redraw:()=>$1({canvas:$3,rc:$4,elementsMap:$5,allElementsMap:$6,visibleElements:$7,scale:$8,appState:$9,renderConfig:$10})},' },
  { what: 'one name for two entries of a menu', find: /"data-testid":"toolbar-embeddable",(?=children:\w+\("toolBar\.mermaidToExcalidraw"\))/, put: '"data-testid":"toolbar-mermaid",' },
  { what: 'one check of an embedded page, before it has its link', find: /!this\.embedsValidationStatus\.has\((\w+)\.id\)(?=\)\{\w+=!0;let \w+=(\w+)\(\1\.link,this\.props\.validateEmbeddable\))/, put: 'this.embedsValidationStatus.get($1.id)!==$2($1.link,this.props.validateEmbeddable)' },
  { what: 'the request to write to Excalidraw about a host', find: /unableToEmbed:"Embedding[^"]*"/, put: 'unableToEmbed:"Pages of this host cannot be embedded here. The operator of this server decides which can."' },
  { what: 'the same in Korean', find: /unableToEmbed:"(?:\\uC774|이) ?URL[^"]*"/, put: 'unableToEmbed:"이 호스트의 페이지는 삽입할 수 없습니다. 삽입할 수 있는 호스트는 서버 운영자가 정합니다."' },
  { what: 'WebAssembly, which the page\'s policy forbids', find: /features:\["js","wasm"\]/, put: 'features:["js"]' },
  // Mermaid 11.13 and later put the diagram's id before each id in the drawing; the converter looks for them without.
  { what: 'the prefix of ids in a Mermaid drawing', find: /svgContainer\.innerHTML = svg;/, put: "svgContainer.innerHTML = svg.replaceAll(`${renderId}-`, '');" },
];

/**
 * Remove from Excalidraw what the page does not use, and serve its fonts from here.
 *
 * Removed are all languages but English and Korean, the WebAssembly that makes fonts in an
 * exported drawing smaller (whole fonts are exported instead), and what makes a canvas of
 * thousands of elements slow: its panels ask at each change, a dozen times, which of all elements are selected.
 */
export function excalidrawDiet(): Plugin {
  const missing = new Set(CHANGES);
  return {
    name: 'excalidraw-diet',
    enforce: 'pre',
    config: () => ({ define: { EXCALIDRAW_FONTS: JSON.stringify(FONTS) } }),
    resolveId: (source) => (OTHER_LANGUAGES.test(source) ? NO_LANGUAGE : null),
    load(id) {
      if (id === NO_LANGUAGE) return 'export default {};';
      if (id === `${DIST}subset-shared.chunk.js`) return WHOLE_FONTS;
      if (id === `${DIST}subset-worker.chunk.js`) return 'export const WorkerUrl = undefined;';
      return null;
    },
    transform(code, id) {
      if (!id.startsWith(DIST) && !id.startsWith(DIAGRAMS)) return null;
      return CHANGES.reduce((text, change) => {
        if (change.find.test(text)) missing.delete(change);
        return text.replace(change.find, change.put);
      }, code);
    },
    generateBundle() {
      for (const { what } of missing) this.error(`Excalidraw has changed: could not leave out ${what}`);
      for (const [fileName, source] of fonts()) this.emitFile({ type: 'asset', fileName, source });
    },
  };
}

const WHOLE_FONTS = `
export const Commands = { Subset: 'SUBSET' };
export async function subsetToBase64(font) { return toBase64(font); }
export async function subsetToBinary(font) { return font; }
export async function toBase64(font) {
  const text = Array.from(new Uint8Array(font), (byte) => String.fromCharCode(byte)).join('');
  return 'data:font/woff2;base64,' + btoa(text);
}
`;

function* fonts(): Generator<[name: string, content: Buffer]> {
  for (const family of readdirSync(`${DIST}fonts`).sort()) {
    // The one is left out, the other is for the page itself and named in its style sheet.
    if (family === 'Xiaolai' || family === 'Assistant') continue;
    for (const file of readdirSync(`${DIST}fonts/${family}`).sort()) {
      yield [`${FONTS}fonts/${family}/${file}`, readFileSync(`${DIST}fonts/${family}/${file}`)];
    }
  }
}
