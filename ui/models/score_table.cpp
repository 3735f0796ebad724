// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/score_table.h"

#include <QCoreApplication>
#include <QSet>

namespace meanflow::ui {
namespace {

QString sayOfTable(const char* text) { return QCoreApplication::translate("Scores", text); }

/// One cell of a line that ends cells with tabs or bars.
QString flat(QString text) { return text.replace(u'\t', u' ').replace(u'\n', u' ').replace(u'\r', u' '); }

QString csvCell(const QString& text) {
  if (!text.contains(u',') && !text.contains(u'"') && !text.contains(u'\n') && !text.contains(u'\r')) return text;
  return u'"' + QString(text).replace(u'"', QStringLiteral("\"\"")) + u'"';
}

}  // namespace

QString ScoreTable::toTsv() const {
  const auto line = [](QStringList cells) {
    for (auto& cell : cells) cell = flat(cell);
    return cells.join(u'\t') + u'\n';
  };
  QString text = line(header);
  for (const auto& each : lines) text += line(each);
  return text;
}

QString ScoreTable::toMarkdown() const {
  const auto line = [](QStringList cells) {
    for (auto& cell : cells) cell = flat(cell).replace(u'|', QStringLiteral("\\|"));
    return QStringLiteral("| ") + cells.join(QStringLiteral(" | ")) + QStringLiteral(" |\n");
  };
  QString text = line(header);
  text += u'|';
  for (qsizetype i = 0; i < header.size(); ++i) text += QStringLiteral(" --- |");
  text += u'\n';
  for (const auto& each : lines) text += line(each);
  return text;
}

QByteArray ScoreTable::toCsv() const {
  const auto line = [](QStringList cells) {
    for (auto& cell : cells) cell = csvCell(cell);
    return cells.join(u',') + u'\n';
  };
  QString text = line(header);
  for (const auto& each : lines) text += line(each);
  return text.toUtf8();
}

ScoreTable scoreTable(const std::vector<RunScores>& runs, bool with_cards) {
  ScoreTable table;
  const QStringList measures = measuresOf(runs);
  QStringList facts, classes;
  if (with_cards) {
    QSet<QString> class_names;
    for (const auto& run : runs) {
      for (const auto& row : run.rows) {
        for (const auto& score : row.scores)
          for (const auto& fact : score.card)
            if (!facts.contains(fact.name)) facts << fact.name;
        for (const auto& name : row.accuracy_by_class.keys()) class_names.insert(name);
      }
    }
    classes = QStringList(class_names.begin(), class_names.end());
    classes.sort();
  }
  table.header = {sayOfTable("Run"), sayOfTable("Images from"), sayOfTable("NFE"), sayOfTable("Weights")};
  for (const auto& measure : measures) table.header << (with_cards ? measure : measureTitle(measure));
  if (!with_cards) {
    table.header << sayOfTable("Worst class");
  } else {
    for (const auto& name : classes) table.header << QStringLiteral("accuracy/") + name;
    table.header << facts;
  }
  for (const auto& run : runs) {
    for (const auto& row : run.rows) {
      QStringList line = {run.name, row.title, row.nfe > 0 ? QString::number(row.nfe) : QString(), row.weights};
      for (const auto& measure : measures) {
        const auto* score = row.find(measure);
        line << (score ? QString::number(score->value, 'g', 9) : QString());
      }
      if (!with_cards) {
        const QString worst = row.worstClass();
        line << (worst.isEmpty() ? QString()
                                 : QStringLiteral("%1 %2").arg(worst).arg(row.accuracy_by_class[worst], 0, 'f', 3));
      } else {
        for (const auto& name : classes)
          line << (row.accuracy_by_class.contains(name) ? QString::number(row.accuracy_by_class[name], 'g', 9)
                                                        : QString());
        for (const auto& name : facts) {
          QStringList values;  // the cards of one row differ where its measures do
          for (const auto& score : row.scores)
            for (const auto& fact : score.card)
              if (fact.name == name && !fact.value.isEmpty() && !values.contains(fact.value)) values << fact.value;
          line << values.join(QStringLiteral("; "));
        }
      }
      table.lines.push_back(line);
    }
  }
  return table;
}

}  // namespace meanflow::ui
