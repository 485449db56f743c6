"""What agekit brings itself. It comes in through the same door as every plugin, and sees what a third party sees."""
