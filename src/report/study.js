// The two-alternative study: which of two rows shows a coherent transition? The page knows no right
// answer but those of the practice. Answers stay in this browser until they are saved as a file; a
// page that came from `descramble study serve` sends each of them there, too.
"use strict";
(() => {
  const { study, practice, trials } = JSON.parse(document.getElementById("data").textContent);
  const place = document.getElementById("study");
  const store = "descramble-study-" + study;
  // The server's links look like this, and no other's.
  const served = location.protocol.startsWith("http") && /^\/s\/[0-9a-f]{32}\/$/.test(location.pathname);

  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  // ---- What this browser knows -----------------------------------------------------------------

  // A participant is a random number, and nothing else is known of a person.
  const fresh = () => {
    const words = crypto.getRandomValues(new Uint32Array(4));
    return { participant: [...words].map((word) => word.toString(16).padStart(8, "0")).join(""), answers: [], practised: false };
  };
  const read = () => {
    try { return JSON.parse(localStorage.getItem(store)); } catch { return null; }
  };
  const write = () => {
    try { localStorage.setItem(store, JSON.stringify(state)); } catch { /* the file at the end still works */ }
  };
  let state = read() ?? fresh();
  write();

  // Several windows share what is kept: the first answer to a question stays, and none is lost.
  function merge() {
    const kept = read();
    if (!kept) return;
    if (kept.participant !== state.participant) { state = kept; return; }
    const mine = new Map(state.answers.map((answer) => [answer.trial, answer]));
    const theirs = new Set(kept.answers.map((answer) => answer.trial));
    state.answers = [
      ...kept.answers.map((answer) => ({ ...answer, sent: answer.sent || mine.get(answer.trial)?.sent || false })),
      ...state.answers.filter((answer) => !theirs.has(answer.trial)),
    ];
    state.practised = state.practised || kept.practised;
  }
  const keep = () => { merge(); write(); };
  const answered = (trial) => state.answers.some((answer) => answer.trial === trial.id);
  const unsent = () => state.answers.filter((answer) => !answer.sent);

  // ---- Sending -----------------------------------------------------------------------------------

  // Answers go to the server one at a time, again and again until it has them.
  const status = element("output", "", { "aria-live": "polite", class: "note" });
  place.after(status);
  let sending = false;
  let refused = "";
  let arrived = () => {};
  const wait = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds));
  const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

  async function post(participant, { trial, chosen, top, seconds }) {
    const control = new AbortController();
    const patience = setTimeout(() => control.abort(), 15000);
    try {
      const reply = await fetch("answers", {
        method: "POST", headers: { "Content-Type": "application/json" }, signal: control.signal,
        body: JSON.stringify({ study, participant, trial, chosen, top, seconds }),
      });
      return { code: reply.status, why: reply.ok ? "" : (await reply.json()).error };
    } catch {
      return { code: 0, why: "" };
    } finally {
      clearTimeout(patience);
    }
  }

  async function send() {
    if (!served || sending || refused) return;
    sending = true;
    for (let pause = 500; unsent().length > 0;) {
      const participant = state.participant;
      const [{ trial }] = unsent();
      const { code, why } = await post(participant, unsent()[0]);
      const busy = code === 0 || code === 408 || code === 429 || code >= 500;
      if (code === 200 || code === 409) { // 409: the server has an answer to this question
        merge();
        for (const answer of state.answers) {
          if (answer.trial === trial && state.participant === participant) answer.sent = true;
        }
        write();
        pause = 500;
        status.textContent = "";
      } else if (busy) {
        status.textContent = `The server cannot be reached: ${count(unsent().length, "answer")} wait${unsent().length === 1 ? "s" : ""} here. Go on; nothing is lost.`;
        await wait(pause);
        pause = Math.min(2 * pause, 8000);
      } else {
        refused = why || `code ${code}`;
        status.textContent = `The server takes no answers (${refused}). Go on, and save them as a file at the end.`;
      }
      if (refused) break;
    }
    sending = false;
    arrived();
  }

  // ---- Orders ------------------------------------------------------------------------------------

  // Mulberry32, begun with the participant: the same participant sees the same orders again.
  const stream = (text) => {
    let a = 2166136261;
    for (const c of text) a = Math.imul(a ^ c.charCodeAt(0), 16777619);
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  };
  const shuffled = (list, random) => {
    const result = [...list];
    for (let i = result.length - 1; i > 0; --i) {
      const j = Math.floor(random() * (i + 1));
      [result[i], result[j]] = [result[j], result[i]];
    }
    return result;
  };
  const order = () => shuffled(trials, stream(study + state.participant));
  const swapped = (trial) => stream(state.participant + trial.id)() < 0.5;

  // ---- What is shown -------------------------------------------------------------------------------

  let asked = null; // the question on the screen, if it is one of the study
  let keys = null;
  function show(...children) {
    document.removeEventListener("keydown", keys);
    keys = null;
    asked = null;
    arrived = () => {};
    place.replaceChildren(...children);
  }

  function ask(trial, heading, chosen) {
    const [top, bottom] = swapped(trial) ? [...trial.rows].reverse() : trial.rows;
    const began = performance.now();
    let done = false;
    const choose = (row) => {
      // A key that is held or pressed twice is no answer to the next question.
      if (done || performance.now() - began < 200) return;
      done = true;
      chosen({ trial: trial.id, chosen: row.id, top: row === top, seconds: (performance.now() - began) / 1000, sent: false }, row);
    };
    const rows = [[top, "Top", "↑"], [bottom, "Bottom", "↓"]].map(([row, name, arrow]) => {
      const button = element("button", "", { type: "button", class: "row" });
      button.append(element("img", "", { src: row.image, alt: name + " strip of pictures" }), element("span", `${name} ${arrow}`));
      button.addEventListener("click", () => choose(row));
      button.dataset.row = row.id;
      return button;
    });
    show(element("h1", heading), element("p", "Which of the two strips shows a coherent transition from left to right? If you cannot tell, make your best guess."), ...rows);
    keys = (event) => {
      if (event.repeat || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
      event.preventDefault();
      choose(event.key === "ArrowUp" ? top : bottom);
    };
    document.addEventListener("keydown", keys);
  }

  function message(heading, texts, button, go) {
    const control = element("button", button, { type: "button" });
    control.addEventListener("click", go);
    show(element("h1", heading), ...texts.map((text) => element("p", text)), control);
    control.focus();
  }

  function practise(number) {
    if (number === practice.length) {
      state.practised = true;
      keep();
      message("Now the questions", [`There are ${trials.length}. Nobody tells you whether an answer is right.`], "Begin", next);
      return;
    }
    ask(practice[number], `Practice ${number + 1} of ${practice.length}`, (answer, row) => {
      const { coherent } = practice[number];
      const buttons = [...place.querySelectorAll("button.row")];
      for (const button of buttons) {
        button.disabled = true;
        button.classList.toggle("right", button.dataset.row === coherent);
      }
      const go = element("button", "Go on", { type: "button" });
      go.addEventListener("click", () => practise(number + 1));
      show(element("h1", row.id === coherent ? "Yes" : "No"), element("p", "The marked strip changes steadily from left to right: it grows brighter."), go, ...buttons);
      go.focus();
    });
  }

  function next() {
    const open = order().filter((trial) => !answered(trial));
    if (open.length === 0) { finish(); return; }
    ask(open[0], `Question ${trials.length - open.length + 1} of ${trials.length}`, (answer) => {
      merge();
      if (!answered(open[0])) state.answers.push(answer);
      write();
      send();
      next();
    });
    asked = open[0];
  }

  // The server is given what it asks for, and so is the file.
  const asFile = () => JSON.stringify({ study, participant: state.participant, answers: state.answers.map(({ sent, ...answer }) => answer) });

  function finish() {
    const link = element("a", "Save the answers", { download: `answers-${state.participant}.json`, href: "data:application/json," + encodeURIComponent(asFile()) });
    const another = element("button", "Another person begins", { type: "button" });
    another.addEventListener("click", () => { state = fresh(); write(); welcome(); });
    const texts = () => {
      const left = unsent().length;
      if (served && left === 0) return "All answers have arrived. You may close this window.";
      if (served && !refused) return `${count(left, "answer")} ${left === 1 ? "is" : "are"} on the way. Keep this window open until all have arrived, or save them as a file and send it to the person who asked you.`;
      return `All ${trials.length} questions are answered. Save the file and send it to the person who asked you.`;
    };
    const render = () => {
      const all = served && unsent().length === 0;
      show(element("h1", "Thank you"), element("p", texts()), ...(all ? [another] : [link]));
      arrived = render;
      if (!all) link.focus();
    };
    link.addEventListener("click", () => place.append(element("p"), another), { once: true });
    render();
  }

  function welcome() {
    message("Which strip is coherent?", [
      "You will see two strips at a time, one above the other. A strip has columns, and the pictures of a column belong together. In one strip the columns change from left to right in some steady way; in the other they do not.",
      "Press the arrow up for the strip on top, the arrow down for the one below, or click on it.",
      `Your choices, and the seconds that each takes, are ${served ? "sent as you give them" : "kept in this browser and saved as a file at the end"}. Nothing else of you is recorded: you are a random number.`,
    ], "Practise first", () => practise(0));
  }

  const begin = () => { if (state.practised) next(); else welcome(); };

  // Another window of this browser went on: what it answered is not asked here again.
  addEventListener("storage", (event) => {
    if (event.key !== store) return;
    const { participant } = state;
    merge();
    if (state.participant !== participant) begin();
    else if (asked && answered(asked)) next();
    else arrived();
    send();
  });

  send();
  begin();
})();
