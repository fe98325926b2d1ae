import{r as e,t}from"./chunk-SHT3W25Y-B4m3CWNs.js";import"./chunk-POPQ4Y6H-CS4GZCTk.js";import"./dist-CcPzmj2Z.js";import"./chunk-F27PBJKO-_bVkMuOX.js";import"./chunk-L3NEJ4N5-BkxjUgzU.js";import"./chunk-OSK3NFVY-D5qGeZWe.js";import"./chunk-GVQU2GXP-MV8OY5g5.js";import"./chunk-4HAMMTFA-w7iJAnHl.js";import"./chunk-P2QGCYS3-C01DLtQa.js";import"./chunk-GMAD6QVW-t4UjbUDd.js";import"./chunk-PWAF6VOD-C3zbHpYD.js";import"./chunk-75Z2AOVW-DPVYm7NK.js";import"./chunk-DU6HZSFF-HmBFc-qc.js";import"./d3-selection-COWvaQNI.js";import{n}from"./chunk-Y2CYZVJY-DsF7k-Jl.js";var r=t({defaultLayout:`swimlane`,styles:n(t=>`${e(t)}
  .swimlane.cluster rect {
    stroke: ${t.clusterBorder} !important;
  }
  [data-look="neo"].cluster rect {
    filter: none;
  }
`,`getStyles`)});export{r as diagram};