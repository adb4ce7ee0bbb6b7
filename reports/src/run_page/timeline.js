// The timeline under the pointer: zoom, pan, and what lies there. Without it the page is a still picture.
//
//   view {from, until}  ──▶  viewBox of every picture, marks of the axis, elements with data-from and data-until
//   pointer             ──▶  time = from + x / width; lane = y / lane height  ──▶  words of what is there
//
// Every text is put in as text, never as markup.
(function () {
  'use strict';
  var facts = JSON.parse(document.getElementById('facts').textContent);
  var timeline = document.getElementById('timeline');
  var tip = document.getElementById('tip');
  var panel = document.getElementById('panel');
  var chosen = timeline.querySelector('.chosen');
  var view = { from: 0, until: facts.axis };
  var words = facts.words;
  var OUTCOMES = ['ok', 'unknown', 'fail'];
  var byId = {};
  var byLane = [];
  document.body.classList.add('live');
  facts.operations.forEach(function (row) {
    byId[row[0]] = row;
    (byLane[row[1]] = byLane[row[1]] || []).push(row);
  });
  byLane.forEach(function (lane) { lane.sort(function (one, other) { return one[10] - other[10]; }); });

  function seconds(micros) { return (micros / 1e6).toFixed(6).replace(/\.?0+$/, '') + ' s'; }
  function lasting(micros) {
    if (micros >= 1e6) { return (micros / 1e6).toFixed(2) + ' s'; }
    return micros >= 1000 ? (micros / 1000).toFixed(2) + ' ms' : micros + ' µs';
  }
  function word(place) { return place === null || place === undefined ? '' : words[place]; }

  // ---- the view

  function show(from, until) {
    var span = Math.min(Math.max(until - from, 50), facts.axis);
    from = Math.min(Math.max(from, 0), facts.axis - span);
    view = { from: Math.round(from), until: Math.round(from + span) };
    timeline.querySelectorAll('svg').forEach(function (svg) {
      svg.setAttribute('viewBox', view.from + ' 0 ' + (view.until - view.from) + ' ' + svg.getAttribute('height'));
    });
    timeline.querySelectorAll('[data-from]').forEach(function (element) {
      var left = Math.max(+element.dataset.from, view.from), right = Math.min(+element.dataset.until, view.until);
      element.style.display = right > left ? '' : 'none';
      element.style.left = percent(left);
      element.style.width = (Math.max(right - left, 0) / (view.until - view.from) * 100) + '%';
    });
    marks();
  }

  function percent(micros) { return ((micros - view.from) / (view.until - view.from) * 100) + '%'; }

  function marks() {
    var plot = timeline.querySelector('.axis .plot');
    plot.textContent = '';
    var least = (view.until - view.from) / 12, step = Math.pow(10, Math.floor(Math.log10(least)));
    step = Math.max([1, 2, 5, 10].map(function (factor) { return factor * step; })
      .filter(function (candidate) { return candidate >= least; })[0] || step * 10, 1);
    for (var at = Math.ceil(view.from / step) * step; at < view.until; at += step) {
      var mark = document.createElement('div');
      mark.className = 'tick';
      mark.style.left = percent(at);
      mark.textContent = seconds(at);
      plot.appendChild(mark);
    }
  }

  function zoom(factor, centre) {
    if (centre === undefined) { centre = (view.from + view.until) / 2; }
    show(centre - (centre - view.from) * factor, centre + (view.until - centre) * factor);
  }

  function move(share) {
    var by = (view.until - view.from) * share;
    show(view.from + by, view.until + by);
  }

  var actions = {
    'in': function () { zoom(0.5); }, 'out': function () { zoom(2); },
    'left': function () { move(-0.25); }, 'right': function () { move(0.25); },
    'all': function () { show(0, facts.axis); }
  };
  document.querySelectorAll('.controls button').forEach(function (button) {
    button.addEventListener('click', actions[button.dataset.do]);
  });
  document.addEventListener('keydown', function (event) {
    if (/INPUT|TEXTAREA|SUMMARY/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) { return; }
    var action = { '+': 'in', '=': 'in', '-': 'out', 'ArrowLeft': 'left', 'ArrowRight': 'right', '0': 'all' }[event.key];
    if (action) { actions[action](); event.preventDefault(); }
    if (event.key === 'Escape') { panel.style.display = 'none'; }
  });

  // ---- the pointer

  function place(event) {
    var plot = event.target.closest && event.target.closest('.plot');
    if (!plot) { return null; }
    var box = plot.getBoundingClientRect();
    return {
      key: plot.parentNode.dataset.key, y: event.clientY - box.top, box: box,
      micros: view.from + (event.clientX - box.left) / box.width * (view.until - view.from),
      slack: (view.until - view.from) / box.width * 5
    };
  }

  function operationAt(at) {
    var best = null, distance = at.slack;
    (byLane[Math.floor(at.y / facts.lanes.operations)] || []).forEach(function (row) {
      var end = row[11] === null ? facts.axis : row[11];
      var away = Math.max(row[10] - at.micros, at.micros - end, 0);
      if (away < distance) { best = row; distance = away; }
    });
    return best;
  }

  function anomalyAt(at) {
    var best = null, distance = at.slack;
    facts.anomalies.forEach(function (row) {
      var away = Math.abs(row[1] - at.micros);
      if (row[0] === Math.floor(at.y / facts.lanes.anomalies) && away < distance) { best = row; distance = away; }
    });
    return best;
  }

  function messageAt(at) {
    var best = null, distance = 6, height = facts.lanes.nodes;
    var scale = at.box.width / (view.until - view.from);
    facts.messages.forEach(function (row) {
      var end = row[4] === null ? facts.axis : row[4];
      if (end < at.micros - at.slack || row[3] > at.micros + at.slack) { return; }
      var x1 = (row[3] - at.micros) * scale, x2 = (end - at.micros) * scale;
      var y1 = (row[0] + 0.5) * height - at.y, y2 = (row[1] + 0.5) * height - at.y;
      var dx = x2 - x1, dy = y2 - y1, t = Math.max(0, Math.min(1, -(x1 * dx + y1 * dy) / (dx * dx + dy * dy || 1)));
      var away = Math.hypot(x1 + t * dx, y1 + t * dy);
      if (away < distance) { best = row; distance = away; }
    });
    return best;
  }

  function nameOf(row) {
    var effect = row[7] !== null ? ' ' + word(row[7]) : '';
    if (row[7] === null && row[8] === 0) { effect = row[9] !== null ? ' = ' + word(row[9]) : ''; }
    return '#' + row[0] + ' ' + word(row[5]) + ' ' + word(row[4]) + effect;
  }

  function operationWords(row) {
    var ended = row[11] === null ? 'never ended' : 'to ' + seconds(row[11]) + ' (' + lasting(row[11] - row[10]) + ')';
    var why = row[8] === 0 ? '' : ': ' + word(row[9]);
    return nameOf(row) + '\n' + OUTCOMES[row[8]] + why + '\nc' + row[2] + ' through ' + word(row[3]) + ' at level ' +
      word(row[6]) + '\n' + seconds(row[10]) + ' ' + ended;
  }

  function under(at) {
    if (at.key === 'operations') {
      var row = operationAt(at);
      return row && operationWords(row);
    }
    if (at.key === 'anomalies') {
      var anomaly = anomalyAt(at);
      return anomaly && word(anomaly[2]) + ' at ' + seconds(anomaly[1]) + '\n' + word(anomaly[3]);
    }
    if (at.key === 'faults') {
      var lane = Math.floor(at.y / facts.lanes.faults);
      var fault = facts.faults.filter(function (row) {
        var end = row[2] === null ? row[1] : row[2];
        return row[0] === lane && at.micros >= row[1] - at.slack && at.micros <= end + at.slack;
      })[0];
      return fault && word(fault[3]) + '\n' + seconds(fault[1]) + (fault[2] === null ? '' : ' to ' + seconds(fault[2]));
    }
    if (at.key === 'nodes') {
      var message = messageAt(at);
      if (!message) { return null; }
      var end = message[4] === null ? 'still under way at the end' : seconds(message[4]);
      return word(message[2]) + '\n' + word(facts.nodes[message[0]]) + ' to ' + word(facts.nodes[message[1]]) + '\nsent ' +
        seconds(message[3]) + (message[5] === null ? ', arrived ' + end : '\nlost: ' + word(message[5]));
    }
    if (/throughput|availability|latency/.test(at.key) && facts.bucket > 0) {
      var bucket = facts.buckets[Math.floor(at.micros / facts.bucket)];
      if (!bucket) { return null; }
      var all = bucket[1] + bucket[2] + bucket[3];
      return 'from ' + seconds(bucket[0]) + ' for ' + lasting(facts.bucket) + '\n' + bucket[1] + ' ok, ' + bucket[3] +
        ' unknown, ' + bucket[2] + ' fail' + (all ? '\n' + (100 * bucket[1] / all).toFixed(1) + '% answered' : '') +
        (bucket[4] === null ? '' : '\nmedian ' + lasting(bucket[4])) + (bucket[5] === null ? '' : '\np99 ' + lasting(bucket[5]));
    }
    return null;
  }

  var drag = null;
  timeline.addEventListener('mousedown', function (event) {
    var at = place(event);
    if (at && event.button === 0) { drag = { from: at.micros, x: event.clientX, box: at.box }; event.preventDefault(); }
  });
  document.addEventListener('mousemove', function (event) {
    var at = place(event), told = at && !drag && under(at);
    tip.style.display = told ? 'block' : 'none';
    if (told) {
      tip.textContent = told;
      tip.style.left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8) + 'px';
      tip.style.top = Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8) + 'px';
    }
    if (drag) {
      var left = timeline.getBoundingClientRect().left;
      chosen.style.display = 'block';
      chosen.style.left = (Math.max(Math.min(drag.x, event.clientX), drag.box.left) - left) + 'px';
      chosen.style.width = Math.abs(event.clientX - drag.x) + 'px';
    }
  });
  document.addEventListener('mouseup', function (event) {
    if (!drag) { return; }
    var began = drag;
    drag = null;
    chosen.style.display = 'none';
    var scale = (view.until - view.from) / began.box.width;
    if (Math.abs(event.clientX - began.x) > 4) {
      var to = view.from + (event.clientX - began.box.left) * scale;
      show(Math.min(began.from, to), Math.max(began.from, to));
      return;
    }
    var at = place(event);
    if (at && at.key === 'operations') { open(operationAt(at)); }
    if (at && at.key === 'anomalies') {
      var anomaly = anomalyAt(at);
      if (anomaly && anomaly[4].length) { open(byId[anomaly[4][0]]); }
    }
  });
  timeline.addEventListener('wheel', function (event) {
    var at = place(event);
    if (!at || !(event.ctrlKey || event.metaKey || event.shiftKey)) { return; }
    event.preventDefault();
    if (event.shiftKey) { move((event.deltaY || event.deltaX) > 0 ? 0.1 : -0.1); } else { zoom(event.deltaY > 0 ? 1.25 : 0.8, at.micros); }
  }, { passive: false });
  timeline.addEventListener('dblclick', actions.all);

  // ---- one operation, with its consistency report

  function add(parent, tag, text) {
    var element = document.createElement(tag);
    if (text !== undefined) { element.textContent = text; }
    parent.appendChild(element);
    return element;
  }

  function open(row) {
    panel.textContent = '';
    if (!row) { panel.style.display = 'none'; return; }
    var close = add(panel, 'button', 'close');
    close.addEventListener('click', function () { panel.style.display = 'none'; });
    add(panel, 'h3', nameOf(row));
    add(panel, 'p', operationWords(row).split('\n').slice(1).join(' · '));
    var report = row[12];
    if (!report) {
      add(panel, 'p', 'The coordinator told nothing of this operation: the client had given up.');
    } else {
      add(panel, 'p', report[0] + ' of ' + report[2].length + ' replicas had to answer; decided ' + lasting(report[1]) +
        ' after the request arrived.');
      var table = add(panel, 'table'), head = add(add(table, 'thead'), 'tr'), body = add(table, 'tbody');
      ['replica', 'said', 'version', 'after', 'repaired'].forEach(function (name) { add(head, 'th', name); });
      report[2].forEach(function (answer) {
        var line = add(body, 'tr');
        [word(answer[0]), word(answer[1]), word(answer[2]), answer[3] === null ? '-' : lasting(answer[3]),
          answer[4] ? 'yes' : ''].forEach(function (text) { add(line, 'td', text); });
      });
    }
    panel.style.display = 'block';
  }

  // Zooms to an operation and tells of it; the page may be opened at one: report.html#op-209.
  function visit(id) {
    var row = byId[id];
    open(row);
    if (row) {
      var end = row[11] === null ? row[10] + 1e6 : row[11], span = Math.max(end - row[10], 1000);
      show(row[10] - 4 * span, end + 4 * span);
    }
    return row;
  }

  function visitHash() {
    var asked = /^#op-(\d+)$/.exec(window.location.hash);
    if (asked && visit(asked[1])) { timeline.scrollIntoView(); }
  }

  document.querySelector('.controls input').addEventListener('change', function (event) { visit(event.target.value); });
  window.addEventListener('hashchange', visitHash);
  show(0, facts.axis);
  visitHash();
}());
