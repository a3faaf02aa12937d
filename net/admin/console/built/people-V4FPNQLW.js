import{a,b,c}from"./chunk-W5BADGJQ.js";import"./chunk-C6SYXGS3.js";import"./chunk-6RSCN4PO.js";export{c as PeoplePage,a as nameOf,b as protocolOf};
