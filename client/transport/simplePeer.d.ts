/** The browser bundle of simple-peer. The package's main entry wants Node's globals and dies in a browser. */
declare module 'simple-peer/simplepeer.min.js' {
  import SimplePeer from 'simple-peer';
  export default SimplePeer;
}
