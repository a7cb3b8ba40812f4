"""The JavaScript of the player, which runs wherever an HTML page does."""

SCRIPT = """
(() => { for (const root of document.querySelectorAll("#PLAYER")) {
  if (root.dataset.on) continue;
  root.dataset.on = "yes";
  const clip = JSON.parse(root.dataset.clip), W = clip.width, H = clip.height;
  const total = Math.max(...clip.panels.map(p => p.t));
  const scale = 0.92 * Math.min(W / 2 / clip.radius, H / 2 / clip.rise), dpr = window.devicePixelRatio || 1;
  const add = (parent, tag, style, more) => {
    const node = Object.assign(document.createElement(tag), more);
    node.style.cssText = style;
    return parent.appendChild(node);
  };
  const stage = root.children[1];
  stage.textContent = "";
  stage.style.cssText = "display:flex;flex-wrap:wrap;gap:8px";
  let yaw = clip.yaw, pitch = clip.pitch, frame = 0, visible = false, asked = false, last = 0;
  let playing = !window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  const panels = clip.panels.map(p => {
    const cell = add(stage, "figure", "margin:0;max-width:100%");
    const canvas = add(cell, "canvas", `width:${W}px;max-width:100%;background:#fff;border:1px solid #ddd;`
      + "border-radius:4px;cursor:grab;touch-action:pan-y", {width: W * dpr, height: H * dpr});
    if (p.label) add(cell, "figcaption", "text-align:center;margin:2px", {textContent: p.label});
    canvas.onpointerdown = event => canvas.setPointerCapture(event.pointerId);
    canvas.onpointermove = event => {
      if (!event.buttons) return;
      yaw += event.movementX / 100;
      pitch = Math.max(-1.5, Math.min(1.5, pitch + event.movementY / 100));
      draw();
    };
    canvas.ondblclick = () => { yaw = clip.yaw; pitch = clip.pitch; draw(); };
    const bytes = Uint8Array.from(atob(p.xyz), c => c.charCodeAt(0));
    return {...p, pen: canvas.getContext("2d"), xyz: new Int16Array(bytes.buffer)};
  });
  const wide = Math.max(340, panels.length * (W + 8) - 8);
  const bar = add(root, "div", `display:flex;gap:8px;align-items:center;max-width:${wide}px`);
  const button = add(bar, "button", "width:5em", {type: "button"});
  const slider = add(bar, "input", "flex:1;min-width:0", {type: "range", min: 0, max: total - 1, step: 1});
  slider.setAttribute("aria-label", "frame");
  const counter = add(bar, "span", "min-width:5.5em;text-align:right;font-variant-numeric:tabular-nums");

  const project = (x, y, z) => {
    const near = Math.cos(yaw) * z - Math.sin(yaw) * x;
    return [W / 2 + scale * (Math.cos(yaw) * x + Math.sin(yaw) * z),
            H / 2 - scale * (Math.cos(pitch) * y - Math.sin(pitch) * near),
            Math.sin(pitch) * y + Math.cos(pitch) * near];
  };
  const line = (pen, a, b) => { pen.beginPath(); pen.moveTo(a[0], a[1]); pen.lineTo(b[0], b[1]); pen.stroke(); };

  const draw = () => {
    for (const p of panels) {
      const pen = p.pen, r = 0.75 * clip.radius, now = Math.min(Math.floor(frame), p.t - 1), things = [];
      pen.setTransform(dpr, 0, 0, dpr, 0, 0);
      pen.clearRect(0, 0, W, H);
      pen.lineCap = "round";
      pen.lineWidth = 1;
      pen.strokeStyle = "#ddd";
      for (let i = -2; i <= 2; i++) {
        line(pen, project(i * r / 2, p.floor, -r), project(i * r / 2, p.floor, r));
        line(pen, project(-r, p.floor, i * r / 2), project(r, p.floor, i * r / 2));
      }
      for (let m = 0; m < p.m; m++) {
        const joints = [];
        for (let v = 0; v < clip.v; v++) {
          const at = ((now * p.m + m) * clip.v + v) * 3;
          joints.push(p.xyz[at] === -32768 ? null : project(p.xyz[at], p.xyz[at + 1], p.xyz[at + 2]));
        }
        for (const [c, q] of clip.bones)
          if (joints[c] && joints[q]) things.push([joints[c][2] + joints[q][2], clip.side[c], joints[c], joints[q]]);
        joints.forEach((j, v) => { if (j) things.push([2 * j[2] + 1, clip.side[v], j, null, m]); });
      }
      things.sort((a, b) => a[0] - b[0]);
      for (const [, side, a, b, m] of things) {
        pen.strokeStyle = clip.colours[side];
        if (b) { pen.lineWidth = 3; line(pen, a, b); continue; }
        pen.lineWidth = 1.2;
        pen.fillStyle = m ? "#fff" : clip.colours[side];
        pen.beginPath(); pen.arc(a[0], a[1], 3, 0, 2 * Math.PI); pen.fill(); pen.stroke();
      }
    }
    slider.value = Math.floor(frame);
    counter.textContent = `${Math.floor(frame) + 1} / ${total}`;
    button.textContent = playing ? "Pause" : "Play";
  };
  const tick = now => {
    asked = false;
    if (!playing || !visible) return;
    frame = (frame + Math.min(now - last, 250) * clip.fps / 1000) % total;
    last = now;
    draw();
    go();
  };
  const go = () => { if (!asked && playing && visible) { asked = true; requestAnimationFrame(tick); } };
  const start = () => { last = performance.now(); draw(); go(); };
  button.onclick = () => { playing = !playing; start(); };
  slider.oninput = () => { playing = false; frame = +slider.value; draw(); };
  const watch = new IntersectionObserver(seen => { visible = seen.at(-1).isIntersecting; start(); });
  watch.observe(root);  // off screen nothing moves
  draw();
} })();
"""
